SUMMARY = "Writes down what is said in a meeting room"
DESCRIPTION = "A service that records a meeting room through ALSA, shows live captions on a page of the local \
network and leaves a recording, a transcript and notes of each meeting. Whisper runs on the box."
SECTION = "multimedia"

require panotti-source.inc
require panotti-crates.inc

SRCREV = "6a55e9be97e2174949782278a42a4fabe0ab16b4"

inherit cargo cargo-update-recipe-crates features_check pkgconfig systemd useradd

REQUIRED_DISTRO_FEATURES = "systemd"

# bindgen, with which whisper-rs reads whisper.cpp's headers, loads libclang and asks it for the target's types.
export LIBCLANG_PATH = "${STAGING_LIBDIR_NATIVE}"
export BINDGEN_EXTRA_CLANG_ARGS = "--target=${TARGET_SYS} --sysroot=${RECIPE_SYSROOT}"

# whisper.cpp must not look at the machine it is built on; what the target can do is in TUNE_CCARGS.
export GGML_NATIVE = "OFF"

CARGO_BUILD_FLAGS += "--package panotti --bin panotti --no-default-features"

PACKAGECONFIG ??= "alsa demo diarizer io-uring memory-accounting opus plugins systemd whisper"
PACKAGECONFIG[alsa] = "--features alsa,,alsa-lib"
# CUDA's own dependencies come with meta-tegra, in dynamic-layers.
PACKAGECONFIG[cuda] = "--features cuda"
PACKAGECONFIG[demo] = "--features demo"
PACKAGECONFIG[diarizer] = "--features diarizer"
PACKAGECONFIG[io-uring] = "--features io-uring"
PACKAGECONFIG[memory-accounting] = "--features memory-accounting"
PACKAGECONFIG[opus] = "--features opus,,cmake-native"
PACKAGECONFIG[plugins] = "--features plugins"
PACKAGECONFIG[systemd] = "--features systemd,,systemd"
PACKAGECONFIG[vulkan] = "--features vulkan,,vulkan-headers vulkan-loader glslang-native shaderc-native"
PACKAGECONFIG[whisper] = "--features whisper,,clang-native cmake-native"

SYSTEMD_SERVICE:${PN} = "panotti.service"

USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "--system panotti"
USERADD_PARAM:${PN} = "--system --gid panotti --groups audio --home-dir /var/lib/panotti --no-create-home --shell /sbin/nologin panotti"

do_install:append() {
    files="${S}/board-configs/system"
    dropins="${D}${systemd_system_unitdir}/panotti.service.d"
    install -d "${D}${systemd_system_unitdir}" "$dropins"
    install -m 0644 "$files/panotti.service" "${D}${systemd_system_unitdir}/"
    install -m 0644 "$files/backoff.conf" "$dropins/"
    if ${@bb.utils.contains('PACKAGECONFIG', 'cuda', 'true', 'false', d)}; then
        install -m 0644 "$files/gpu.conf" "$dropins/"
    fi
    install -D -m 0644 "$files/tmpfiles.conf" "${D}${nonarch_libdir}/tmpfiles.d/panotti.conf"
    install -D -m 0644 "$files/modprobe.conf" "${D}${nonarch_libdir}/modprobe.d/panotti.conf"
    install -D -m 0644 "$files/panotti.yaml" "${D}${sysconfdir}/panotti/panotti.yaml"
}

FILES:${PN} += "${systemd_system_unitdir} ${nonarch_libdir}/tmpfiles.d ${nonarch_libdir}/modprobe.d"
CONFFILES:${PN} = "${sysconfdir}/panotti/panotti.yaml"

RRECOMMENDS:${PN} += "ca-certificates kernel-module-snd-usb-audio panotti-board"
