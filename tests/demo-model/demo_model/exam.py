"""Makes the examination: sentences never trained on, in trained and untrained voices, clean and in noise,
alone, in windows of 30 s and in meetings; and what no word may be heard in.

16-bit WAV at 16 kHz and `manifest.tsv`: file, group, voice, condition, what is said, and the times of its
sentences (`start-end`, seconds).
"""
import argparse
import random
from pathlib import Path

import numpy as np
import scipy.io.wavfile

from . import acoustics, grammar, heldout, voices

RATE_HZ = voices.RATE_HZ
ESPEAK = [f"espeak/{it}" for it in ("en-us", "en", "en-us+f2", "en-us+m3", "en-gb-scotland", "en+f5",
                                  "en-us+klatt2", "en-us+Alicia")]
FLITE = [f"flite/{it}" for it in ("slt", "rms", "awb", "kal16")]
GROUPS = {"espeak": ESPEAK, "flite": FLITE, "espeak, untrained": voices.HELD_OUT[:4],
          "festival, untrained": voices.HELD_OUT[4:]}
RATIOS_DB = (20, 10)


def sentences(rng):
    """Held-out sentences, each once."""
    seen = set()
    while True:
        written, spoken = grammar.sentence(rng)
        if heldout.is_held_out(written) and written not in seen:
            seen.add(written)
            yield written, spoken


class Exam:
    """Draws and writes the files."""

    def __init__(self, folder, seed):
        self.folder, self.rows = folder, []
        self.rng, self.noise_rng = random.Random(seed), np.random.default_rng(seed)
        self.sentences = sentences(self.rng)

    def _in_noise(self, samples, kind, ratio_db):
        if kind == "pink":
            noise = acoustics.coloured(self.noise_rng, .5)
        else:
            noise = np.zeros(acoustics.NOISE)
            for voice in self.rng.choices(ESPEAK + FLITE, k=5):
                said = " ".join(grammar.sentence(self.rng)[1] for _ in range(3))
                speech = np.resize(voices.neutral(said, voice).samples, acoustics.NOISE)
                noise += np.roll(speech, self.rng.randrange(acoustics.NOISE))
        noise = np.resize(noise, len(samples))
        loud = samples[np.abs(samples) > .01]
        return samples + noise * np.sqrt((loud ** 2).mean() / (noise ** 2).mean() * 10 ** (-ratio_db / 10))

    def _write(self, name, group, voice, condition, samples, said):
        samples = samples * min(1.0, .6 / max(np.abs(samples).max(initial=0), 1e-9))
        scipy.io.wavfile.write(self.folder / name, RATE_HZ, np.round(samples * 32767).astype(np.int16))
        times = " ".join(f"{start:.2f}-{end:.2f}" for start, end, _ in said)
        self.rows.append("\t".join([name, group, voice, condition, "|".join(it for _, _, it in said), times]))

    def _lay(self, chosen, longest_s, pauses):
        """Sentences one after another until `longest_s`; also who says them when."""
        parts, said, at = [np.zeros(int(.3 * RATE_HZ))], [], .3
        for written, spoken in self.sentences:
            speech = voices.neutral(spoken, self.rng.choice(chosen)).samples * self.rng.uniform(.6, 1)
            seconds = len(speech) / RATE_HZ
            if said and at + seconds > longest_s:
                break
            pause = self.rng.uniform(*pauses)
            parts += [speech, np.zeros(int(pause * RATE_HZ))]
            # A voice's own samples begin and end a little before and after what is heard.
            said.append((at + .03, at + seconds - .05, written))
            at += seconds + int(pause * RATE_HZ) / RATE_HZ
        return np.concatenate(parts), said

    def alone(self, group, chosen, count):
        """One sentence a file, clean and at each ratio."""
        for i in range(count):
            voice = chosen[i % len(chosen)]
            samples, said = self._lay([voice], 0, (.5, .5))
            name = f"{group.replace(', ', '-')}-{i:02d}"
            self._write(f"{name}.wav", group, voice, "clean", samples, said)
            for ratio_db in RATIOS_DB:
                noisy = self._in_noise(samples, "pink" if i % 2 else "babble", ratio_db)
                self._write(f"{name}-{ratio_db}.wav", group, voice, f"{ratio_db} dB", noisy, said)

    def together(self, group, count, longest_s):
        """Many sentences of three trained voices a file; every other one in noise."""
        for i in range(count):
            chosen = self.rng.sample(ESPEAK + FLITE, 3)
            samples, said = self._lay(chosen, longest_s, (.3, 1.2))
            if i % 2:
                samples = self._in_noise(samples, "pink", 20)
            self._write(f"{group.replace(' ', '-')}-{i}.wav", group, "several", "20 dB" if i % 2 else "clean",
                        samples, said)

    def nothing(self):
        """Silence, noises and music."""
        rng, seconds = self.noise_rng, 8
        kinds = {"silence": np.zeros(acoustics.NOISE), "faint": acoustics.coloured(rng, .5) * 1e-3,
                 "pink": acoustics.coloured(rng, .5), "hum": acoustics.hum(rng),
                 "knocks": acoustics.knocks(rng), "music": acoustics.music(rng),
                 "music 2": acoustics.music(rng)}
        for kind, samples in kinds.items():
            samples = samples[:seconds * RATE_HZ]
            if kind not in ("silence", "faint"):
                samples = samples / np.abs(samples).max() * .3
            self._write(f"{kind.replace(' ', '-')}.wav", "nothing said", kind, "clean", samples, [])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=99)
    parser.add_argument("--count", type=int, default=40, help="sentences of each group of voices")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    exam = Exam(args.folder, args.seed)
    for group, chosen in GROUPS.items():
        exam.alone(group, chosen, args.count)
    exam.together("window of 30 s", 12, 29)
    exam.together("meeting", 4, 75)
    exam.nothing()
    (args.folder / "manifest.tsv").write_text("\n".join(exam.rows) + "\n")
    print(f"{len(exam.rows)} files in {args.folder}")


if __name__ == "__main__":
    main()
