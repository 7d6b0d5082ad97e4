"""What was spoken, on disk: shards of 16-bit samples at 16 kHz with a line of JSON per utterance.

`NAME.i16` holds the samples one utterance after another, `NAME.jsonl` who said what in them. Reading maps
the files, so that many processes share one copy.
"""
import json
from pathlib import Path

import numpy as np


def write(folder, name, speeches):
    """Writes a shard; `speeches` are `(written, spoken, Speech)`. Whole or not at all."""
    folder = Path(folder)
    samples, lines = [], []
    for written, spoken, speech in speeches:
        samples.append(np.round(speech.samples * 32767).astype("<i2"))
        lines.append(json.dumps({"written": written, "spoken": spoken, "voice": speech.voice,
                                 "samples": len(speech.samples), "phones": speech.phones},
                                ensure_ascii=False))
    np.concatenate(samples).tofile(folder / f"{name}.i16")
    part = folder / f"{name}.jsonl.part"
    part.write_text("\n".join(lines) + "\n")
    part.rename(folder / f"{name}.jsonl")


class Pool:
    """All shards of a folder, of them what `knows` (a predicate on what is written) accepts."""

    def __init__(self, folder, knows):
        self.spoken, self.samples = [], []
        for lines in sorted(Path(folder).glob("*.jsonl")):
            data, at = np.memmap(lines.with_suffix(".i16"), "<i2", "r"), 0
            for line in lines.read_text().splitlines():
                it = json.loads(line)
                if knows(it["written"]):
                    self.spoken.append(it)
                    self.samples.append(data[at:at + it["samples"]])
                at += it["samples"]
        if not self.spoken:
            raise FileNotFoundError(f"no shards in {folder}: run demo_model.synth first")
        self.lengths = np.array([len(it) for it in self.samples])
        self.by_length = np.argsort(self.lengths, kind="stable")

    def __len__(self):
        return len(self.samples)
