SUMMARY = "Panotti's small English demo model"
DESCRIPTION = "A Whisper model in ggml form of 10 MB, enough to see the box work. It is the project's own; for \
meetings, put a model of whisper.cpp into /var/lib/panotti/models."
SECTION = "multimedia"

require recipes-panotti/panotti/panotti-source.inc

SRCREV = "6a55e9be97e2174949782278a42a4fabe0ab16b4"

inherit allarch

INHIBIT_DEFAULT_DEPS = "1"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

# Below /usr, since /var is not part of an update; Panotti looks by name in its own folder, hence the link.
do_install() {
    model="ggml-panotti-demo.en-q5_1.bin"
    install -D -m 0644 "${S}/tests/fixtures/panotti-demo.en-q5_1.bin" "${D}${datadir}/panotti/models/$model"
    install -d "${D}${nonarch_libdir}/tmpfiles.d"
    printf 'L /var/lib/panotti/models/%s - - - - %s\n' "$model" "${datadir}/panotti/models/$model" \
        > "${D}${nonarch_libdir}/tmpfiles.d/panotti-model-demo.conf"
}

FILES:${PN} += "${datadir}/panotti ${nonarch_libdir}/tmpfiles.d"
