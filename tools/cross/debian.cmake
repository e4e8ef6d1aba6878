# SPDX-License-Identifier: MIT
# The common part of the toolchain files: Debian's compiler, the libraries that tools/cross/libraries
# unpacks, and QEMU's user emulation for tests. The file of an architecture has its name in Debian.
get_filename_component(mortise_architecture ${CMAKE_PARENT_LIST_FILE} NAME_WE)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../../build/cross/${mortise_architecture})
file(REAL_PATH ${CMAKE_SYSROOT} CMAKE_SYSROOT)
set(CMAKE_C_COMPILER ${mortise_machine}-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE ${mortise_machine})
# Instead of the C library of the package libc6-dev-*-cross, which may be older.
set(CMAKE_C_FLAGS_INIT "-B${CMAKE_SYSROOT}/usr/lib/${mortise_machine}/")
# The option -L of QEMU would redirect the program's own paths, too, such as the directory "/".
set(CMAKE_CROSSCOMPILING_EMULATOR ${mortise_emulator} ${CMAKE_SYSROOT}/lib/${mortise_loader}
	--library-path ${CMAKE_SYSROOT}/usr/lib/${mortise_machine})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_SYSROOT}/usr/lib/${mortise_machine}/pkgconfig)
