"""Sentences of a meeting, written and spoken, from the templates in `sentences.txt`.

`written` is what the model is to write (cased, with punctuation, numbers in digits as Whisper has them),
`spoken` what a synthesiser is given. Templates with names and numbers come more often: that is where
mistakes are made and where they hurt.
"""
import pathlib
import re

from . import numbers, words

TEMPLATES = (pathlib.Path(__file__).parent / "sentences.txt").read_text().splitlines()
SLOT = re.compile(r"<([A-Za-z]+)\d*>")
PIECE = re.compile(r"\{([^|{}]*)\|([^{}]*)\}")
HARD = """name count number percent money price clock date year version decimal digits phone room who city
proj""".split()


def _document(rng):
    return "the " + rng.choice(["", "", "", "new ", "final ", "first ", "updated ", "old "]) \
        + rng.choice(words.DOCUMENTS)


def _thing(rng):
    kind = rng.randrange(3)
    if kind == 0:
        return _document(rng)
    return "the " + rng.choice(words.TOPICS) + (" " + rng.choice(words.ASPECTS) if kind == 1 else "")


def _team(rng):
    return f"the {rng.choice(words.TEAMS)} team"


def _when(rng):
    day = rng.choice(words.DAYS)
    date, clock = numbers.date(rng), numbers.clock(rng)
    return rng.choice(words.WHEN + [f"on {day}", f"by {day}", f"next {day}", f"on {date}",
                                    f"before {date}", f"at {clock}", f"by {clock}",
                                    f"in {rng.choice(words.MONTHS)}", f"on {day} at {clock}"])


def _place(rng):
    city = rng.choice(words.CITIES)
    return rng.choice(words.PLACES + [f"our {city} office", city])


def _who(rng):
    kind = rng.random()
    return rng.choice(words.NAMES) if kind < .4 else _team(rng) if kind < .55 else rng.choice(words.PEOPLE)


def _one_of(words_):
    return lambda rng: rng.choice(words_)


SLOTS = {
    "name": _one_of(words.NAMES), "day": _one_of(words.DAYS), "month": _one_of(words.MONTHS),
    "small": _one_of(numbers.SMALL), "Team": _one_of(words.TEAMS), "topic": _one_of(words.TOPICS),
    "prob": _one_of(words.PROBLEMS), "past": _one_of(words.PAST), "verb": _one_of(words.VERBS),
    "pp": _one_of(words.PARTICIPLES), "adj": _one_of(words.ADJECTIVES), "city": _one_of(words.CITIES),
    "items": _one_of(words.COUNTABLE), "period": _one_of(words.PERIODS), "color": _one_of(words.COLORS),
    "proj": lambda rng: "Project " + rng.choice(words.PROJECTS), "team": _team, "doc": _document,
    "thing": _thing, "when": _when, "place": _place, "who": _who, "count": numbers.count,
    "number": numbers.number, "percent": numbers.percent, "money": numbers.money,
    "price": numbers.price, "clock": numbers.clock, "date": numbers.date, "year": numbers.year,
    "version": numbers.version, "decimal": numbers.decimal, "digits": numbers.digits,
    "phone": numbers.phone, "room": numbers.room,
}
WEIGHTS = [1 + sum(slot in HARD for slot in SLOT.findall(it)) for it in TEMPLATES]


def _finish(filled):
    """(written, spoken) of a filled template."""
    filled = re.sub(r"\b([Aa]) (?=[aeioAEIO]|hour)", r"\1n ", filled)
    written, spoken = PIECE.sub(r"\1", filled), PIECE.sub(r"\2", filled)
    written = written.replace("p.m..", "p.m.").replace("a.m..", "a.m.")
    return written[0].upper() + written[1:], spoken


def sentence(rng):
    """(written, spoken) of one sentence."""
    template = rng.choices(TEMPLATES, WEIGHTS)[0]
    return _finish(SLOT.sub(lambda it: SLOTS[it[1]](rng), template))


def salad(rng):
    """(written, spoken) of words or of names and numbers without a meaning: nothing in it can be guessed,
    so that the decoder learns to listen."""
    if rng.random() < .5:
        spoken = " ".join(sentence(rng)[1] for _ in range(4))
        found = re.findall(r"[A-Za-z']+", spoken)
        text = " ".join(rng.sample(found, min(len(found), rng.randint(3, 9))))
        return text[0].upper() + text[1:] + ".", text + "."
    slots = ["name", "name", "name", "number", "digits", "money", "clock", "date", "percent", "decimal",
             "city", "day", "year", "room"]
    pieces = [SLOTS[rng.choice(slots)](rng) for _ in range(rng.randint(2, 5))]
    return _finish(", ".join(pieces) + ".")
