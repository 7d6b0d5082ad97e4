"""Windows of audio as Whisper is shown them, and what it is to write: utterances of the pool laid one after
another, with prompts, in the encoder contexts that the product uses. How they sound in a room is for
`acoustics`.

Kinds of a batch: `one` utterance in a context fitted to it; `several` in a longer one; `full` windows of
30 s. A few windows of each are empty. Everything follows from the seed.
"""
import dataclasses
import random

import numpy as np
import torch

from . import lexicon, voices
from .net import TEXT_CONTEXT

IGNORED = -100  # no target here
SILENT = -200  # nothing is said: most likely `<|nospeech|>`, else a timestamp
FULL = 1500  # positions of Whisper's encoder, 20 ms each
PAUSES = 15  # most utterances of a window


@dataclasses.dataclass
class Window:
    """Utterances of the pool with their first positions, and what else `batch` needs of them."""
    placed: list  # (utterance, first position, end position)
    cut: int | None  # where an utterance starts that the window's end cuts
    recorded: int  # positions after which the recording ends


class Windows(torch.utils.data.IterableDataset):
    """An endless row of batches."""

    def __init__(self, pool, lexicon_, mix, batch_s, seed, prompts=.35):
        self.pool, self.lexicon, self.mix, self.batch_s = pool, lexicon_, mix, batch_s
        self.seed, self.prompts = seed, prompts
        self.positions = pool.lengths // voices.FRAME + 1

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        seed = (self.seed, worker.id if worker else 0)
        self.rng, self.random = np.random.default_rng(seed), random.Random(str(seed))
        torch.set_num_threads(1)
        kinds, weights = list(self.mix), np.array(list(self.mix.values()), float)
        while True:
            yield self.batch(self.rng.choice(kinds, p=weights / weights.sum()))

    def _lay(self, context, utterances, lead, pause):
        """Lays utterances into `context` positions until one does not fit."""
        at, placed, cut = lead, [], None
        for it in utterances:
            end = at + int(self.positions[it])
            if end > context:
                # Only what is heard for a while can be known to have begun.
                cut = at if at + 15 < context else None
                if cut is not None:
                    placed.append((it, at, context))
                break
            placed.append((it, at, end))
            at = end + pause()
        if cut is not None:
            return Window(placed[:-1], cut, context), placed
        last = placed[-1][2] if placed else 0
        tail = int(self.rng.integers(0, 40)) if placed else int(self.rng.integers(50, context))
        return Window(placed, None, min(context, last + tail)), placed

    def _one(self):
        rng, order = self.rng, self.pool.by_length
        pivot = int(rng.integers(len(order)))
        need = int(self.positions[order[pivot]]) + 38
        fitted = rng.random()
        if fitted < .45:
            context = -(-need // 8) * 8
        else:
            context = max(256 if fitted < .85 else 512, -(-need // 64) * 64)
        context = min(context, FULL)
        size = max(2, int(self.batch_s * 50 / context))
        near = order[max(0, pivot - 2 * size):pivot + 1]
        chosen = rng.choice(near, size)
        return context, [self._lay(context, [] if rng.random() < .03 else [it], int(rng.integers(0, 22)), int)
                         for it in chosen]

    def _many(self, context):
        rng = self.rng
        size = max(2, int(self.batch_s * 50 / context))
        windows = []
        for _ in range(size):
            kind = rng.random()
            count = 0 if kind < .05 else int(rng.integers(1, 3)) if kind < .2 else PAUSES
            lead = int(rng.integers(0, 30)) if rng.random() < .8 else int(rng.integers(0, 50))
            long_pauses = rng.random() < .3
            pause = lambda: int(rng.integers(60, 200) if long_pauses and rng.random() < .4
                                else rng.integers(5, 60))
            windows.append(self._lay(context, rng.integers(0, len(self.pool), count), lead, pause))
        return context, windows

    def _prompt(self, timestamps):
        """Rows before the start: the meeting's title and names, or what was said before; some of its words
        unknown, since titles are anybody's."""
        lex, rows, at = self.lexicon, [], 0.0
        if self.rng.random() < .6:
            rows = lex.text(lexicon.title(self.random))
            if self.rng.random() < .4:
                rows = [lex.unknown if self.rng.random() < .4 else it for it in rows]
        while not rows or self.rng.random() < .45:
            said = lex.text(self.pool.spoken[int(self.rng.integers(len(self.pool)))]["written"])
            if timestamps:
                end = min(at + self.rng.uniform(1, 5), 30.0)
                said, at = [lex.timestamp(at)] + said + [lex.timestamp(end)], end if end < 29 else 0.0
            rows = rows + said
        return [lex.previous] + rows[-int(self.rng.integers(20, 220)):]

    def _script(self, window, timestamps):
        """(rows shown, rows wanted, rough position of each wanted row) for a window."""
        lex, shown, wanted, where = self.lexicon, [self.lexicon.start], [], []
        if not timestamps:
            shown.append(lex.no_timestamps)
            wanted.append(IGNORED if window.placed else SILENT)
            where.append(-1.0)
        if not window.placed and window.cut is None:
            if timestamps:
                return shown + [lex.timestamp(0)], [SILENT, lex.end], [-1.0, -1.0]
            return shown, wanted + [lex.end], where + [-1.0]
        rows, centres = [], []
        first = lambda start: min(start * .02, 1.0) if not rows else start * .02  # max_initial_ts
        for it, start, end in window.placed:
            text = lex.text(self.pool.spoken[it]["written"])
            size = lex.bytes_of(text)
            middle = (start + (end - start) * (size.cumsum(0) - size / 2) / size.sum()).tolist()
            if timestamps:
                text = [lex.timestamp(first(start))] + text + [lex.timestamp(end * .02)]
                middle = [float(start)] + middle + [float(end)]
            rows, centres = rows + text, centres + middle
        if window.cut is not None and timestamps:
            rows.append(lex.timestamp(first(window.cut)))
            centres.append(float(window.cut))
        rows.append(lex.end)
        return shown + rows[:-1], wanted + rows, where + centres + [-1.0]

    def _labels(self, placed, context):
        """The phone of each position; unknown where the voice did not tell."""
        labels = np.zeros(context, np.int64)
        for it, start, end in placed:
            phones = self.pool.spoken[it]["phones"]
            known = [0 if p == voices.SILENCE else self.lexicon.phone.get(p, IGNORED) for p in phones]
            known = (known + [IGNORED] * (end - start))[:end - start]
            labels[start:end] = known
        return labels

    def batch(self, kind):
        """Tensors of a batch, by name."""
        if kind == "one":
            context, windows = self._one()
        else:
            context, windows = self._many(FULL if kind == "full" else int(self.rng.integers(6, 18)) * 64)
        size = len(windows)
        wave = np.zeros((size, context * voices.FRAME), np.int16)
        scripts, phones, labels = [], [], np.zeros((size, context), np.int64)
        for row, (window, placed) in enumerate(windows):
            timestamps = window.cut is not None or self.rng.random() < .75
            for it, start, _ in placed:
                samples = self.pool.samples[it][:(context - start) * voices.FRAME]
                at = start * voices.FRAME
                wave[row, at:at + len(samples)] = samples * 10 ** (self.rng.uniform(-10, 0) / 20)
            labels[row] = self._labels(placed, context)
            script = self._script(window, timestamps)
            if self.rng.random() < self.prompts:
                prompt = self._prompt(timestamps)[:TEXT_CONTEXT - len(script[0])]
                script = (prompt + script[0], [IGNORED] * len(prompt) + script[1],
                          [-1.0] * len(prompt) + script[2])
            scripts.append(script)
            sound = [self.lexicon.phones(self.pool.spoken[it]["spoken"]) for it, _, _ in window.placed]
            whole = window.cut is None and None not in sound
            sound = [it for part in sound for it in part] if whole else []
            phones.append(sound if len(sound) < context - 10 else [])
        longest = max(len(it[0]) for it in scripts)
        padded = lambda rows, filler: torch.tensor([it + [filler] * (longest - len(it)) for it in rows])
        return {
            "wave": torch.from_numpy(wave),
            "recorded": torch.tensor([it.recorded * voices.FRAME for it, _ in windows]),
            "spoken": torch.tensor([bool(placed) for _, placed in windows]),
            "shown": padded([it[0] for it in scripts], self.lexicon.end),
            "wanted": padded([it[1] for it in scripts], IGNORED),
            "where": padded([it[2] for it in scripts], -1.0),
            "labels": torch.from_numpy(labels),
            "voiced": torch.tensor([row for row, it in enumerate(phones) if it], dtype=torch.long),
            "phones": torch.tensor([p for it in phones for p in it], dtype=torch.long),
            "phone_counts": torch.tensor([len(it) for it in phones if it], dtype=torch.long),
        }
