# Only with A/B updates; without them the recipe stays as it is.
# nooelint: oelint.vars.noncoreoverride
FILESEXTRAPATHS:prepend := "${@bb.utils.contains('DISTRO_FEATURES', 'panotti-ab', '${THISDIR}/files:', '', d)}"
# nooelint: oelint.vars.noncoreoverride
SRC_URI:append = "${@bb.utils.contains('DISTRO_FEATURES', 'panotti-ab', ' file://panotti-ab.cfg', '', d)}"
