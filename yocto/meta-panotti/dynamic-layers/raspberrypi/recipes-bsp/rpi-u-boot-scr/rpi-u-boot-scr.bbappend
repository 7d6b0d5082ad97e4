# Only with A/B updates; without them the recipe stays as it is.
# nooelint: oelint.vars.noncoreoverride
FILESEXTRAPATHS:prepend := "${@bb.utils.contains('DISTRO_FEATURES', 'panotti-ab', '${THISDIR}/files:', '', d)}"
