# Jetson's GPU. CUDA's flags come from meta-tegra by machine; whisper-rs hands CMAKE_* and GGML_* on to
# whisper.cpp.
inherit_defer ${@bb.utils.contains('PACKAGECONFIG', 'cuda', 'cuda', '', d)}

# nooelint: oelint.vars.specific
PACKAGECONFIG:append:tegra = " cuda"
PACKAGECONFIG[cuda] = "--features cuda,,cuda-cudart libcublas"

export CMAKE_CUDA_ARCHITECTURES = "${CUDA_ARCHITECTURES}"
export CMAKE_CUDA_COMPILER = "nvcc"

# meta-tegra's tune is plain ARMv8; every Orin has more, and what stays on the CPU is to use it.
export GGML_CPU_ARM_ARCH = "armv8.2-a+dotprod+fp16"
