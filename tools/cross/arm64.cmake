# SPDX-License-Identifier: MIT
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(mortise_machine aarch64-linux-gnu)
set(mortise_emulator qemu-aarch64)
set(mortise_loader ld-linux-aarch64.so.1)
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
