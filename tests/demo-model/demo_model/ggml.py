"""Whisper models in whisper.cpp's own file format, and ggml's block formats of 32 weights.

Layout of the file: whisper.cpp's `whisper_model_load` and `examples/quantize`; of the blocks: `ggml-quants.c`
(`quantize_row_q4_0_ref` and its neighbours).
"""
import struct

import numpy as np

from . import tokens

MAGIC = 0x67676d6c
BLOCK = 32
QUANTIZATION_VERSION = 2
# Name → (number of the tensor's type, number of the file's).
TYPES = {"f16": (1, 1), "q4_0": (2, 2), "q4_1": (3, 3), "q5_0": (6, 8), "q5_1": (7, 9), "q8_0": (8, 7)}
FLOAT = ("positional_embedding", "conv1.bias", "conv2.bias")


def _halves(values):
    """Two weights of 4 bits in a byte: the first half of a block low, the second high."""
    return (values[:, :BLOCK // 2] | values[:, BLOCK // 2:] << 4).astype(np.uint8)


def _fifth_bits(values):
    """The fifth bits of a block's weights in a word."""
    return np.packbits(values >> 4 & 1, axis=1, bitorder="little")


def quantised(weights, kind):
    """Bytes of `weights` (float32, last dimension a multiple of 32)."""
    blocks = weights.reshape(-1, BLOCK).astype(np.float32)
    half = lambda it: it.astype("<f2")[:, None].view(np.uint8)
    inverse = lambda it: np.divide(np.float32(1), it, out=np.zeros_like(it), where=it != 0)[:, None]
    if kind == "q8_0":
        scale = np.abs(blocks).max(1) / np.float32(127)
        scaled = blocks * inverse(scale)
        # C's roundf: halves away from zero.
        values = np.trunc(scaled + np.copysign(np.float32(.5), scaled)).astype(np.int8).view(np.uint8)
        return np.concatenate([half(scale), values], 1).tobytes()
    levels = 16 if kind.startswith("q4") else 32
    if kind.endswith("_1"):
        low, high = blocks.min(1), blocks.max(1)
        scale = (high - low) / np.float32(levels - 1)
        values = ((blocks - low[:, None]) * inverse(scale) + np.float32(.5)).astype(np.int32)
        head = np.concatenate([half(scale), half(low)], 1)
    else:
        extreme = blocks[np.arange(len(blocks)), np.abs(blocks).argmax(1)]
        scale = extreme / np.float32(-levels // 2)
        values = (blocks * inverse(scale) + np.float32(levels // 2 + .5)).astype(np.int32)
        head = half(scale)
    values = np.clip(values, 0, levels - 1).astype(np.uint8)
    parts = [head] if levels == 16 else [head, _fifth_bits(values)]
    return np.concatenate([*parts, _halves(values & 15)], 1).tobytes()


def _tensor(name, values, kind):
    """A tensor with its head: 32-bit floats for vectors and positions, 16 bits for convolutions, `kind` for
    matrices."""
    stored = "f32" if values.ndim < 2 or name.endswith(FLOAT) else "f16" if values.ndim == 3 else kind
    number = 0 if stored == "f32" else TYPES[stored][0]
    if stored in ("f32", "f16"):
        data = np.ascontiguousarray(values, "<f4" if stored == "f32" else "<f2").tobytes()
    else:
        # From 16 bits, as whisper.cpp's own tool does it.
        data = quantised(values.astype(np.float16), kind)
    label = name.encode()
    return struct.pack(f"3i{values.ndim}i", values.ndim, len(label), number, *values.shape[::-1]) + label + data


def write(path, shape, filters, tensors, kind):
    """Writes an English model. `shape`: of `net.Whisper`; `filters`: 80 × 201; `tensors`: name → array."""
    width, heads = shape["width"], shape["heads"]
    number = TYPES[kind][1] + (0 if kind == "f16" else 1000 * QUANTIZATION_VERSION)
    vocabulary = tokens.vocabulary()
    with open(path, "wb") as file:
        file.write(struct.pack("12i", MAGIC, tokens.SIZE, 1500, width, heads, shape["encoder_layers"], 448,
                               width, heads, shape["decoder_layers"], 80, number))
        file.write(struct.pack("2i", *filters.shape) + filters.astype("<f4").tobytes())
        file.write(struct.pack("i", len(vocabulary)))
        for piece in vocabulary:
            file.write(struct.pack("i", len(piece)) + piece)
        for name, values in tensors.items():
            file.write(_tensor(name, values, kind))
