SUMMARY = "An appliance for a meeting room"
DESCRIPTION = "Read-only root with Panotti, a data partition for what it keeps, and no way in but its own API."
HOMEPAGE = "https://github.com/panotti/panotti"
BUGTRACKER = "https://github.com/panotti/panotti/issues"
SECTION = "images"
LICENSE = "MIT"

inherit core-image features_check

REQUIRED_DISTRO_FEATURES = "systemd"

# No ssh-server-*: who wants one adds it, with a key, in local.conf or a layer of their own.
IMAGE_FEATURES += "read-only-rootfs"
IMAGE_LINGUAS = ""

IMAGE_INSTALL = " \
    packagegroup-core-boot \
    panotti \
    panotti-board \
    panotti-model-demo \
    panotti-system \
    ${PANOTTI_IMAGE_UPDATE} \
    ${CORE_IMAGE_EXTRA_INSTALL} \
"

# A/B updates: DISTRO_FEATURES has "panotti-ab" and meta-rauc is among the layers. The kernel is then in the
# root file system, so that it changes with it.
PANOTTI_IMAGE_UPDATE = "${@bb.utils.contains('DISTRO_FEATURES', 'panotti-ab', 'rauc rauc-mark-good panotti-rauc kernel-image kernel-modules', '', d)}"
BAD_RECOMMENDATIONS:append = "${@bb.utils.contains('DISTRO_FEATURES', 'panotti-ab', ' rauc-conf', '', d)}"
RPI_EXTRA_IMAGE_BOOT_FILES:remove = "${@bb.utils.contains('DISTRO_FEATURES', 'panotti-ab', '${KERNEL_IMAGETYPE}', '', d)}"

# Jetson has a partition table of its own, made by meta-tegra when it is flashed.
PANOTTI_WKS = ""
# nooelint: oelint.vars.specific
PANOTTI_WKS:rpi = "${@bb.utils.contains('DISTRO_FEATURES', 'panotti-ab', 'panotti-raspberrypi-ab.wks', 'panotti-raspberrypi.wks', d)}"
PANOTTI_WKS:qemuarm64 = "panotti-qemuarm64.wks"
# nooelint: oelint.vars.specific
WKS_FILE:rpi = "${PANOTTI_WKS}"
WKS_FILE:qemuarm64 = "${PANOTTI_WKS}"
IMAGE_FSTYPES:append = " ext4"
IMAGE_FSTYPES:append:qemuarm64 = " wic"
