"""Checkpoint → a ggml file that unmodified whisper.cpp loads, quantised."""
import argparse
from pathlib import Path

import numpy as np
import torch

from . import features, ggml, tokens
from .lexicon import TIMESTAMPS
from .net import TEXT_CONTEXT, UNKNOWN_BIAS, Whisper

TRAINING_ONLY = ("ctc.", "decoder.tok", "decoder.ts_", "decoder.keep", "decoder.pin")


def tensors(checkpoint):
    """Name in the ggml file → array. The rows that the model knows are spread over Whisper's vocabulary."""
    shape = checkpoint["shape"]
    model = Whisper(**shape)
    state = checkpoint["model"]
    model.load_state_dict(state)
    with torch.no_grad():
        weight, bias = (it.numpy() for it in model.decoder.final_norm())
        times = model.decoder.timestamps().numpy()
    found = {name: value.float().cpu().numpy() for name, value in state.items()
             if not name.startswith(TRAINING_ONLY)}
    for name in ("encoder.conv1.bias", "encoder.conv2.bias"):
        found[name] = found[name].reshape(-1, 1)
    embedding = np.zeros((tokens.SIZE, shape["width"]), np.float32)
    embedding[:, 0] = UNKNOWN_BIAS
    embedding[checkpoint["ids"]] = state["decoder.tok"].float().cpu().numpy()
    embedding[tokens.FIRST_TIMESTAMP + tokens.TIMESTAMP_STEP * np.arange(TIMESTAMPS)] = times
    found |= {"decoder.ln.weight": weight, "decoder.ln.bias": bias,
              "decoder.token_embedding.weight": embedding}
    assert found["decoder.positional_embedding"].shape[0] == TEXT_CONTEXT
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--type", choices=ggml.TYPES, default="q5_1")
    args = parser.parse_args()
    checkpoint = torch.load(args.checkpoint, map_location="cpu", weights_only=False)
    ggml.write(args.out, checkpoint["shape"], features.mel_filters().numpy(), tensors(checkpoint), args.type)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, after {checkpoint['step']} steps")


if __name__ == "__main__":
    main()
