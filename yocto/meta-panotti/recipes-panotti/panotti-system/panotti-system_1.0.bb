SUMMARY = "What makes a system an appliance for Panotti"
DESCRIPTION = "Data partition, volatile journal, compressed swap, hardware watchdog, and the check that an \
update has to pass before it is kept."
HOMEPAGE = "https://github.com/panotti/panotti"
BUGTRACKER = "https://github.com/panotti/panotti/issues"
SECTION = "base"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

SRC_URI = " \
    file://boot-check \
    file://data.mount \
    file://etc-panotti.mount \
    file://journald.conf \
    file://panotti-boot-check.service \
    file://panotti-data-grow.service \
    file://panotti-zram.service \
    file://var-lib-panotti.mount \
    file://watchdog.conf \
    file://zram-swap \
"

S = "${UNPACKDIR}"

inherit allarch features_check systemd

REQUIRED_DISTRO_FEATURES = "systemd"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

SYSTEMD_SERVICE:${PN} = " \
    data.mount \
    etc-panotti.mount \
    panotti-boot-check.service \
    panotti-data-grow.service \
    panotti-zram.service \
    var-lib-panotti.mount \
"

do_install() {
    install -d ${D}${systemd_system_unitdir}
    install -m 0644 ${UNPACKDIR}/*.mount ${UNPACKDIR}/*.service ${D}${systemd_system_unitdir}/
    install -d ${D}${libexecdir}/panotti
    install -m 0755 ${UNPACKDIR}/boot-check ${UNPACKDIR}/zram-swap ${D}${libexecdir}/panotti/
    install -D -m 0644 ${UNPACKDIR}/watchdog.conf ${D}${nonarch_libdir}/systemd/system.conf.d/panotti.conf
    install -D -m 0644 ${UNPACKDIR}/journald.conf ${D}${nonarch_libdir}/systemd/journald.conf.d/panotti.conf
    # A read-only root cannot make them later.
    install -d ${D}/data ${D}${localstatedir}/lib/panotti ${D}${sysconfdir}/panotti
}

FILES:${PN} += "\
    /data \
    ${localstatedir}/lib/panotti \
    ${nonarch_libdir}/systemd \
    ${systemd_system_unitdir} \
"

RDEPENDS:${PN} += "e2fsprogs-resize2fs kmod util-linux-mkswap util-linux-mount util-linux-swaponoff util-linux-zramctl"
RRECOMMENDS:${PN} += "kernel-module-zram"
