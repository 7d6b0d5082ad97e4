"""What of Whisper's tokens the model knows, and how its words sound.

The model holds weights for these tokens alone (its rows); `export` spreads them over Whisper's whole
vocabulary. Both tables follow from the grammar and are kept in a file, since a checkpoint's rows depend on
their order.
"""
import json
import random
import re
from pathlib import Path

import torch

from . import grammar, tokens, voices

SENTENCES = 60000  # drawn to meet every token of the grammar
TIMESTAMPS = 301  # 0.0 to 30.0 s
WORD = re.compile(r"[a-z']+")


def title(rng):
    """What the product puts before a meeting as a prompt: its title, and who is there."""
    name = lambda: grammar.SLOTS["name"](rng)
    topic = grammar.SLOTS["topic"](rng)
    head = rng.choice([topic.capitalize() + " " + rng.choice(["review", "meeting", "plan", "update"]),
                       grammar.SLOTS["proj"](rng), rng.choice(["Weekly", "Monthly", "Sales"]) + " meeting",
                       grammar.SLOTS["Team"](rng).capitalize() + " team"])
    people = ", ".join(name() for _ in range(rng.randint(1, 6)))
    return rng.choice([f"{head}. {people}.", f"{head}.", f"{people}."])


def _made():
    rng, used, words = random.Random(7), set(), set()
    for i in range(SENTENCES):
        written, spoken = (grammar.salad if i % 3 == 0 else grammar.sentence)(rng)
        used.update(tokens.encode(" " + written) + tokens.encode(" " + title(rng)))
        words.update(WORD.findall(spoken.lower()))
        for it in re.findall(r"[A-Za-z']+", spoken):
            used.update(tokens.encode(f" {it}") + tokens.encode(f" {it[0].upper()}{it[1:]}"))
    for n in range(1000):
        used.update(tokens.encode(f" {n} ${n} {n:02d}:{n:02d} ,{n:03d} .{n}"))
    for n in range(10_000):
        used.update(tokens.encode(f" {n:04d}"))
    used.update([tokens.END, tokens.START, tokens.PREVIOUS, tokens.NO_SPEECH, tokens.NO_TIMESTAMPS])
    sounds = {it: voices.plain_phones(voices.espeak().phonemes(it)) for it in sorted(words)}
    return {"ids": sorted(used), "sounds": sounds, "phones": sorted(set("".join(sounds.values())))}


class Lexicon:
    """Rows of the model's embedding: known tokens, then timestamps, then one for all unknown tokens."""

    def __init__(self, path):
        path = Path(path)
        if not path.exists():
            path.write_text(json.dumps(_made(), ensure_ascii=False))
        made = json.loads(path.read_text())
        self.ids, self.sounds = made["ids"], made["sounds"]
        self.row = {token: row for row, token in enumerate(self.ids)}
        self.phone = {it: i + 1 for i, it in enumerate(made["phones"])}  # 0 is silence, and CTC's blank
        self.first_timestamp = len(self.ids)
        self.unknown = self.first_timestamp + TIMESTAMPS
        self.end, self.start, self.previous, self.no_speech, self.no_timestamps = (
            self.row[it] for it in (tokens.END, tokens.START, tokens.PREVIOUS, tokens.NO_SPEECH,
                                    tokens.NO_TIMESTAMPS))

    def knows(self, written):
        """Whether all of a sentence's tokens are known."""
        return self.row.keys() >= set(tokens.encode(" " + written))

    def text(self, written):
        """Rows of a sentence that follows others."""
        return [self.row.get(it, self.unknown) for it in tokens.encode(" " + written)]

    def bytes_of(self, rows):
        """How many bytes each row writes."""
        return torch.tensor([len(tokens.vocabulary()[self.ids[it]]) for it in rows], dtype=torch.float)

    def timestamp(self, seconds):
        """The row that stands for a time."""
        return self.first_timestamp + min(max(round(seconds * 10), 0), TIMESTAMPS - 1)

    def phones(self, spoken):
        """The phones of a sentence, without pauses; `None` when a word of it is unknown."""
        found = [self.sounds.get(it) for it in WORD.findall(spoken.lower())]
        if None in found:
            return None
        return [self.phone[it] for sound in found for it in sound]
