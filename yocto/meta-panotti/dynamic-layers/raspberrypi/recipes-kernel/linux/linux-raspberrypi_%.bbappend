# Only with A/B updates; without them not even the recipe's signature changes.
require ${@bb.utils.contains('DISTRO_FEATURES', 'panotti-ab', 'panotti-ab.inc', '', d)}
