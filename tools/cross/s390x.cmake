# SPDX-License-Identifier: MIT
set(CMAKE_SYSTEM_PROCESSOR s390x)
set(mortise_machine s390x-linux-gnu)
set(mortise_emulator qemu-s390x)
set(mortise_loader ld64.so.1)
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
