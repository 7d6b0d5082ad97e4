# nooelint: oelint.var.mandatoryvar.SRC_URI - a bundle is made of what other recipes deploy
SUMMARY = "Update of Panotti's image"
DESCRIPTION = "A signed RAUC bundle with panotti-image's root file system."
HOMEPAGE = "https://github.com/panotti/panotti"
BUGTRACKER = "https://github.com/panotti/panotti/issues"
SECTION = "images"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

inherit bundle

# It needs the owner's key.
EXCLUDE_FROM_WORLD = "1"

# Blocks are checked as they are read, so that a bundle can be streamed.
RAUC_BUNDLE_FORMAT = "verity"
RAUC_BUNDLE_COMPATIBLE = "panotti-${MACHINE}"
RAUC_BUNDLE_DESCRIPTION = "Panotti"
RAUC_BUNDLE_SLOTS = "rootfs"
RAUC_SLOT_rootfs = "panotti-image"
RAUC_SLOT_rootfs[fstype] = "ext4"

# The key that signs is the owner's: RAUC_KEY_FILE and RAUC_CERT_FILE have to be set, in local.conf or where
# the build has its secrets. There is none in this layer on purpose.
