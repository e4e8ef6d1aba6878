#!/bin/sh
# SPDX-License-Identifier: MIT
/usr/lib/mortise/unlock-root move "$NEWROOT"
