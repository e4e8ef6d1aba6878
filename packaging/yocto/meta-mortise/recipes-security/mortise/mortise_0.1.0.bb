# SPDX-License-Identifier: MIT
SUMMARY = "LUKS2 disk encryption for appliances, with declared volumes"
DESCRIPTION = "Brings up the encrypted volumes that a machine declares, unattended at every boot, \
and has the command line of cryptsetup for single devices."
SECTION = "console"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=144a3f8f95a0d283df1b964c5082db50"

inherit cmake pkgconfig systemd externalsrc

EXTERNALSRC = "${MORTISE_TREE}"
# The tree is not changed by a build.
EXTERNALSRC_BUILD = "${WORKDIR}/build"
EXTERNALSRC_SYMLINKS = ""

DEPENDS = "json-c"

PACKAGECONFIG ??= "openssl declared kms reencrypt ${@bb.utils.filter('DISTRO_FEATURES', 'systemd', d)}"
PACKAGECONFIG[openssl] = "-DMORTISE_CRYPTO=openssl,,openssl,,,mbedtls nettle"
PACKAGECONFIG[mbedtls] = "-DMORTISE_CRYPTO=mbedtls,,mbedtls,,,openssl nettle"
PACKAGECONFIG[nettle] = "-DMORTISE_CRYPTO=nettle,,nettle,,,openssl mbedtls"
PACKAGECONFIG[declared] = "-DMORTISE_DECLARED=ON,-DMORTISE_DECLARED=OFF,libyaml util-linux"
# Loaded when a key needs them: no dependency would be found in the program.
PACKAGECONFIG[kms] = "-DMORTISE_KMS=ON,-DMORTISE_KMS=OFF,curl,,libcurl"
PACKAGECONFIG[tpm] = "-DMORTISE_TPM=ON,-DMORTISE_TPM=OFF,tpm2-tss,,libtss2 libtss2-mu libtss2-tcti-device"
PACKAGECONFIG[bench] = "-DMORTISE_BENCHMARK=ON,-DMORTISE_BENCHMARK=OFF"
PACKAGECONFIG[uring] = "-DMORTISE_URING=ON,-DMORTISE_URING=OFF,liburing"
PACKAGECONFIG[luks1] = "-DMORTISE_LUKS1=ON,-DMORTISE_LUKS1=OFF"
PACKAGECONFIG[reencrypt] = "-DMORTISE_REENCRYPT=ON,-DMORTISE_REENCRYPT=OFF"
PACKAGECONFIG[cryptsetup-name] = "-DMORTISE_CRYPTSETUP_NAME=ON,-DMORTISE_CRYPTSETUP_NAME=OFF,,,,"
PACKAGECONFIG[systemd] = "-DMORTISE_SYSTEMD=ON,-DMORTISE_SYSTEMD=OFF"

EXTRA_OECMAKE = " \
    -DBUILD_TESTING=OFF \
    -DMORTISE_SYSTEMD_UNIT_DIR=${systemd_system_unitdir} \
    -DMORTISE_SYSTEMD_TMPFILES_DIR=${nonarch_libdir}/tmpfiles.d \
"

do_install:append() {
    install -d -m 0755 ${D}${sysconfdir}/mortise
}

PACKAGE_BEFORE_PN = "lib${BPN} ${PN}-trim ${PN}-network ${PN}-metrics ${PN}-completion"

FILES:lib${BPN} = "${libdir}/libmortise.so.*"
FILES:${PN}-network = "${systemd_system_unitdir}/mortise-network.service"
FILES:${PN}-trim = "${systemd_system_unitdir}/mortise-trim.*"
FILES:${PN}-metrics = "${systemd_system_unitdir}/mortise-metrics.*"
FILES:${PN}-completion = "${datadir}/bash-completion ${datadir}/zsh ${datadir}/fish"
FILES:${PN} += " \
    ${systemd_system_unitdir}/mortise.service \
    ${systemd_system_unitdir}/mortise-continue.* \
    ${nonarch_libdir}/tmpfiles.d \
"

RDEPENDS:${PN}-network = "${PN}"
RDEPENDS:${PN}-trim = "${PN}"
RDEPENDS:${PN}-metrics = "${PN}"

# Each unit is in the package of its name; those of up and continue are enabled by default.
SYSTEMD_PACKAGES = "${@bb.utils.contains('PACKAGECONFIG', 'systemd', '${PN} ${PN}-network ${PN}-trim ${PN}-metrics', '', d)}"
SYSTEMD_SERVICE:${PN} = "mortise.service mortise-continue.path"
SYSTEMD_SERVICE:${PN}-network = "mortise-network.service"
SYSTEMD_SERVICE:${PN}-trim = "mortise-trim.timer"
SYSTEMD_SERVICE:${PN}-metrics = "mortise-metrics.timer"

# The kernel needs CONFIG_BLK_DEV_DM, CONFIG_DM_CRYPT, CONFIG_CRYPTO_AES, CONFIG_CRYPTO_XTS and CONFIG_KEYS;
# CONFIG_IO_URING only for "uring". docs/building.md lists the others.
RRECOMMENDS:${PN} += " \
    ${@bb.utils.contains('PACKAGECONFIG', 'declared', 'e2fsprogs-mke2fs e2fsprogs-e2fsck', '', d)} \
    kernel-module-dm-crypt \
    kernel-module-xts \
"
RCONFLICTS:${PN} += "${@bb.utils.contains('PACKAGECONFIG', 'cryptsetup-name', 'cryptsetup', '', d)}"
