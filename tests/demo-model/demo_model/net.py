"""Whisper's architecture (pre-norm encoder and decoder, embedding shared with the output) over a compact
vocabulary, with tensor names as in ggml files.

Channel 0 of the last normalisation is pinned to 1 (weight 0, bias 1), so that column 0 of the embedding is a
bias of the output: rows that are never trained get `UNKNOWN_BIAS` there at export and can never win. In a
prompt such a token shows that same row, which the model learns to pass over.
"""
import math

import torch
import torch.nn.functional as f
from torch import nn

from .lexicon import TIMESTAMPS

UNKNOWN_BIAS = -30.0
TEXT_CONTEXT = 448


def sinusoids(length, channels, longest=10000.0):
    """Whisper's fixed positions."""
    step = math.log(longest) / (channels // 2 - 1)
    angles = torch.arange(length)[:, None] * torch.exp(-step * torch.arange(channels // 2))[None]
    return torch.cat([angles.sin(), angles.cos()], 1)


class Attention(nn.Module):
    """Attention of several heads; to `source` when given, then with its weights kept in `last`."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.last = heads, None
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def _split(self, x):
        return x.view(x.shape[0], -1, self.heads, x.shape[-1] // self.heads).transpose(1, 2)

    def forward(self, x, source=None, causal=False):
        read = x if source is None else source
        query, key, value = (self._split(it) for it in (self.query(x), self.key(read), self.value(read)))
        if x.is_cuda and source is None:
            found = f.scaled_dot_product_attention(query, key, value, is_causal=causal)
        else:
            # By hand: torch's fused attention is several times slower backwards on a CPU at this head size,
            # and does not show its weights.
            weights = query * query.shape[-1] ** -.5 @ key.transpose(-1, -2)
            if causal:
                later = torch.full(weights.shape[-2:], -1e4, dtype=weights.dtype, device=x.device)
                weights = weights + later.triu(1)
            weights = torch.softmax(weights, -1, dtype=weights.dtype)
            if source is not None and self.training:
                self.last = weights
            found = weights @ value
        return self.out(found.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """One layer."""

    def __init__(self, width, heads, cross=False):
        super().__init__()
        self.attn, self.attn_ln = Attention(width, heads), nn.LayerNorm(width)
        if cross:
            self.cross_attn, self.cross_attn_ln = Attention(width, heads), nn.LayerNorm(width)
        # whisper.cpp's GELU is the tanh form.
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"),
                                 nn.Linear(4 * width, width))
        self.mlp_ln = nn.LayerNorm(width)

    def forward(self, x, source=None, causal=False):
        x = x + self.attn(self.attn_ln(x), causal=causal)
        if source is not None:
            x = x + self.cross_attn(self.cross_attn_ln(x), source)
        return x + self.mlp(self.mlp_ln(x))


class Encoder(nn.Module):
    """Features (batch, 80, 2 × positions) → (batch, positions, width)."""

    def __init__(self, width, heads, layers):
        super().__init__()
        self.conv1 = nn.Conv1d(80, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.register_buffer("positional_embedding", sinusoids(1500, width))
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(layers)])
        self.ln_post = nn.LayerNorm(width)

    def forward(self, mel):
        x = f.gelu(self.conv1(mel), approximate="tanh")
        x = f.gelu(self.conv2(x), approximate="tanh").transpose(1, 2)
        x = x + self.positional_embedding[:x.shape[1]].to(x.dtype)
        for block in self.blocks:
            x = block(x)
        return self.ln_post(x)


class Decoder(nn.Module):
    """Rows of tokens and the encoder's output → the states that the embedding turns into scores."""

    def __init__(self, width, heads, layers, rows):
        super().__init__()
        self.tok = nn.Parameter(torch.randn(rows, width) * .06)
        # Times that lie close are alike from the beginning.
        self.register_buffer("ts_basis", sinusoids(TIMESTAMPS, 128, 600.0))
        self.ts_proj = nn.Parameter(torch.randn(128, width) * .02)
        self.ts_free = nn.Parameter(torch.zeros(TIMESTAMPS, width))
        self.positional_embedding = nn.Parameter(torch.randn(TEXT_CONTEXT, width) * .01)
        self.blocks = nn.ModuleList([Block(width, heads, cross=True) for _ in range(layers)])
        self.ln = nn.LayerNorm(width)
        first = torch.zeros(width)
        first[0] = 1
        self.register_buffer("pin", first)
        self.register_buffer("keep", 1 - first)

    def timestamps(self):
        """The embedding's rows of the timestamps."""
        return self.ts_basis @ self.ts_proj + self.ts_free

    def final_norm(self):
        """(weight, bias) of the last normalisation, with its pinned channel."""
        return self.ln.weight * self.keep, self.ln.bias * self.keep + self.pin

    def forward(self, rows, source):
        embedding = torch.cat([self.tok, self.timestamps(), self.pin[None] * UNKNOWN_BIAS])
        x = embedding[rows] + self.positional_embedding[:rows.shape[1]]
        for block in self.blocks:
            x = block(x, source, causal=True)
        return f.layer_norm(x.float(), x.shape[-1:], *self.final_norm()), embedding


class Whisper(nn.Module):
    """The model, with a head that tells phones from the encoder: for training alone, not exported."""

    def __init__(self, width, heads, encoder_layers, decoder_layers, rows, phones):
        super().__init__()
        self.shape = {"width": width, "heads": heads, "encoder_layers": encoder_layers,
                      "decoder_layers": decoder_layers, "rows": rows, "phones": phones}
        self.encoder = Encoder(width, heads, encoder_layers)
        self.decoder = Decoder(width, heads, decoder_layers, rows)
        self.ctc = nn.Linear(width, phones + 1)
