SUMMARY = "How updates come to Panotti's boxes"
DESCRIPTION = "RAUC's slots on Panotti's partitions, and the certificate that updates are checked with."
HOMEPAGE = "https://github.com/panotti/panotti"
BUGTRACKER = "https://github.com/panotti/panotti/issues"
SECTION = "base"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

SRC_URI = "file://system.conf"

# The partitions in system.conf are those of files/wic/panotti-raspberrypi-ab.wks.
COMPATIBLE_MACHINE = "^rpi$"

S = "${UNPACKDIR}"

# The owner's certificate: a path on the machine that builds. There is none in this layer on purpose.
PANOTTI_RAUC_KEYRING ?= ""

# It needs the owner's certificate.
EXCLUDE_FROM_WORLD = "1"

PACKAGE_ARCH = "${MACHINE_ARCH}"
INHIBIT_DEFAULT_DEPS = "1"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install[file-checksums] += "${@d.getVar('PANOTTI_RAUC_KEYRING') + ':True' if d.getVar('PANOTTI_RAUC_KEYRING') else ''}"
do_install() {
    if [ ! -f "${PANOTTI_RAUC_KEYRING}" ]; then
        bbfatal "Set PANOTTI_RAUC_KEYRING to the certificate that updates are signed for; README.md says how to make one."
    fi
    install -d ${D}${nonarch_libdir}/rauc
    sed -e 's/@MACHINE@/${MACHINE}/' ${UNPACKDIR}/system.conf > ${D}${nonarch_libdir}/rauc/system.conf
    install -m 0644 "${PANOTTI_RAUC_KEYRING}" ${D}${nonarch_libdir}/rauc/keyring.pem
}

FILES:${PN} += "${nonarch_libdir}/rauc"

RDEPENDS:${PN} += "u-boot-env u-boot-fw-utils"
RPROVIDES:${PN} += "virtual-rauc-conf"
RCONFLICTS:${PN} = "rauc-conf"
