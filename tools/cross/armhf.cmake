# SPDX-License-Identifier: MIT
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(mortise_machine arm-linux-gnueabihf)
set(mortise_emulator qemu-arm)
set(mortise_loader ld-linux-armhf.so.3)
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
