# Compile with musl and the libraries of tools/musl/libraries; never find libraries of the host,
# which are linked with glibc.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${CMAKE_HOST_SYSTEM_PROCESSOR})
set(mortise_musl ${CMAKE_CURRENT_LIST_DIR}/../../build/musl)
set(CMAKE_C_COMPILER ${mortise_musl}/bin/musl-gcc)
# For link-time optimization.
set(CMAKE_C_COMPILER_AR /usr/bin/gcc-ar)
set(CMAKE_C_COMPILER_RANLIB /usr/bin/gcc-ranlib)
set(CMAKE_FIND_ROOT_PATH ${mortise_musl})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${mortise_musl}/lib/pkgconfig)
include_directories(BEFORE SYSTEM ${mortise_musl}/include)
