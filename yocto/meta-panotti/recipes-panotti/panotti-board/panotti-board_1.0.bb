SUMMARY = "Tells Panotti which board it runs on"
DESCRIPTION = "A drop-in of panotti.service that names the machine's file of board-configs, so that Panotti \
takes threads, microphone and model that fit it."
HOMEPAGE = "https://github.com/panotti/panotti"
BUGTRACKER = "https://github.com/panotti/panotti/issues"
SECTION = "multimedia"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

SRC_URI = "file://board.conf"

S = "${UNPACKDIR}"

# A name that `panotti check-config --board NAME` knows.
PANOTTI_BOARD ?= "generic-arm64"
# nooelint: oelint.vars.specific
PANOTTI_BOARD:raspberrypi4-64 = "raspberrypi4-64"
# nooelint: oelint.vars.specific
PANOTTI_BOARD:raspberrypi5 = "raspberrypi5"
# nooelint: oelint.vars.specific
PANOTTI_BOARD:jetson-orin-nano-devkit = "jetson-orin-nano"
# nooelint: oelint.vars.specific
PANOTTI_BOARD:jetson-orin-nano-devkit-nvme = "jetson-orin-nano"
PANOTTI_BOARD:x86-64 = "generic-x86_64"

PACKAGE_ARCH = "${MACHINE_ARCH}"
INHIBIT_DEFAULT_DEPS = "1"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -d ${D}${systemd_system_unitdir}/panotti.service.d
    sed -e 's/@BOARD@/${PANOTTI_BOARD}/' ${UNPACKDIR}/board.conf \
        > ${D}${systemd_system_unitdir}/panotti.service.d/board.conf
}

FILES:${PN} += "${systemd_system_unitdir}/panotti.service.d"
