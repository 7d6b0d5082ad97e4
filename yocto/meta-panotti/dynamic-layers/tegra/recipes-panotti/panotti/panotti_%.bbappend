# Jetson's GPU. CUDA's flags come from meta-tegra by machine; whisper-rs hands CMAKE_* on to whisper.cpp.
inherit_defer ${@bb.utils.contains('PACKAGECONFIG', 'cuda', 'cuda', '', d)}

# nooelint: oelint.vars.specific
PACKAGECONFIG:append:tegra = " cuda"
PACKAGECONFIG[cuda] = "--features cuda,,cuda-cudart libcublas"

export CMAKE_CUDA_ARCHITECTURES = "${CUDA_ARCHITECTURES}"
