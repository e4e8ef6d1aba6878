#!/bin/sh
# SPDX-License-Identifier: MIT
# dracut runs this again and again until the root has appeared.
if [ ! -e /run/mortise-root.tried ]; then
	: >/run/mortise-root.tried
	/usr/lib/mortise/unlock-root open ||
		die "The encrypted root is not open; run \"/usr/lib/mortise/unlock-root open\" to try again."
fi
