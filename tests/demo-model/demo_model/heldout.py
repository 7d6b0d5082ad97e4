"""Which sentences are never trained on: one in sixteen by a hash of its text, and those that the project's
recordings say (`heldout.txt`, one a line).

A rule and no list of what was drawn: it holds whatever the grammar, the seed and the machine.
"""
import functools
import hashlib
import pathlib
import re

SHARE = 16


def _plain(written):
    return " ".join(re.findall(r"[a-z0-9]+", written.lower()))


@functools.cache
def _recorded():
    return {_plain(it) for it in (pathlib.Path(__file__).parent / "heldout.txt").read_text().splitlines()}


def is_held_out(written):
    """Whether a sentence is for examinations only. Case and punctuation do not matter. Sentences of fewer
    than six words are trained on: there are few of them, and everybody says them."""
    plain = _plain(written)
    if plain in _recorded():
        return True
    return plain.count(" ") >= 5 and hashlib.sha256(plain.encode()).digest()[0] < 256 // SHARE
