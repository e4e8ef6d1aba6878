# SPDX-License-Identifier: MIT
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(mortise_machine riscv64-linux-gnu)
set(mortise_emulator qemu-riscv64)
set(mortise_loader ld-linux-riscv64-lp64d.so.1)
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
