"""Numbers as they are written and as they are spoken: `{written|spoken}` pieces, for the grammar.

Counts up to twelve are written as words, as Whisper does; everything else in digits.
"""
from .words import MONTHS

UNITS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen""".split()
TENS = " ten twenty thirty forty fifty sixty seventy eighty ninety".split(" ")
ORDINALS = {1: "first", 2: "second", 3: "third", 5: "fifth", 8: "eighth", 9: "ninth", 12: "twelfth",
            20: "twentieth", 30: "thirtieth"}
SMALL = UNITS[2:13]


def say(n):
    """A whole number below a thousand million in words."""
    for size, word in ((1_000_000, "million"), (1000, "thousand"), (100, "hundred")):
        if n >= size:
            return f"{say(n // size)} {word}" + (f" {say(n % size)}" if n % size else "")
    if n < 20:
        return UNITS[n]
    return TENS[n // 10] + (f" {UNITS[n % 10]}" if n % 10 else "")


def say_ordinal(n):
    """1 to 31 as an ordinal: a day of the month."""
    if n in ORDINALS:
        return ORDINALS[n]
    return f"{TENS[n // 10]} {ORDINALS[n % 10]}" if n > 20 and n % 10 in ORDINALS else \
        f"{TENS[n // 10]} {UNITS[n % 10]}th" if n > 20 else UNITS[n] + "th"


def say_digits(digits):
    """Each digit by itself."""
    return " ".join(UNITS[int(it)] for it in digits)


def say_pairs(n):
    """A year or the number of a room: 2026 is "twenty twenty six", 214 "two fourteen"."""
    high, low = divmod(n, 100)
    return f"{say(high)} " + ("hundred" if low == 0 else f"oh {say(low)}" if low < 10 else say(low))


def either(written, spoken):
    """The piece of a sentence that is written so and spoken so."""
    return "{%s|%s}" % (written, spoken)


def count(rng):
    """How many: few in words, many in digits."""
    if rng.random() < .4:
        return rng.choice(SMALL)
    n = rng.choice([rng.randint(13, 99), rng.randint(13, 99), rng.randint(2, 19) * 50,
                    rng.randint(100, 999), rng.randint(1, 20) * 1000])
    return either(format(n, ",d"), say(n))


def number(rng):
    """Of a page, a slide, an option: digits always."""
    n = rng.choice([rng.randint(1, 12), rng.randint(1, 99), rng.randint(1, 199)])
    return either(n, say(n))


def percent(rng):
    """A share; now and then with one decimal."""
    if rng.random() < .15:
        a, b = rng.randint(0, 20), rng.randint(1, 9)
        return either(f"{a}.{b}%", f"{say(a)} point {UNITS[b]} percent")
    n = rng.choice([rng.randint(1, 20) * 5, rng.randint(2, 99)])
    return either(f"{n}%", f"{say(n)} percent")


def money(rng):
    """Dollars, in the sizes that budgets have."""
    kind = rng.random()
    if kind < .1:
        n, tenth = rng.randint(1, 20), rng.randint(1, 9)
        return either(f"${n}.{tenth} million", f"{say(n)} point {UNITS[tenth]} million dollars")
    if kind < .25:
        n = rng.randint(1, 20)
        return either(f"${n} million", f"{say(n)} million dollars")
    n = rng.choice([rng.randint(1, 20) * 1000, rng.randint(4, 100) * 5000, rng.randint(1, 9) * 100,
                    rng.randint(11, 99) * 100, rng.randint(13, 99) * 1000])
    return either(f"${n:,d}", f"{say(n)} dollars")


def price(rng):
    """Less than a thousand dollars, or a number of euros."""
    n = rng.choice([rng.randint(2, 99), rng.randint(2, 19) * 50])
    if rng.random() < .3:
        return either(f"{n} euros", f"{say(n)} euros")
    return either(f"${n}", f"{say(n)} dollars")


def clock(rng):
    """A time of day."""
    hour, minute = rng.randint(1, 12), rng.choice([0, 0, 0, 15, 30, 30, 45, 5, rng.randint(1, 11) * 5])
    if minute:
        spoken = f"{say(hour)} " + (say(minute) if minute > 9 else f"oh {say(minute)}")
        return either(f"{hour}:{minute:02d}", spoken)
    return rng.choice([either(f"{hour} o'clock", f"{say(hour)} o'clock"),
                       either(f"{hour} a.m.", f"{say(hour)} A M"),
                       either(f"{hour} p.m.", f"{say(hour)} P M")])


def date(rng):
    """A day of a month."""
    day = rng.randint(1, 31)
    suffix = "th" if 10 <= day <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{rng.choice(MONTHS)} " + either(f"{day}{suffix}", say_ordinal(day))


def year(rng):
    """From 2010 to 2035."""
    n = rng.randint(2010, 2035)
    return either(n, say_pairs(n))


def version(rng):
    """Of software."""
    a, b = rng.randint(1, 12), rng.randint(0, 9)
    return either(f"{a}.{b}", f"{say(a)} point {UNITS[b]}")


def decimal(rng):
    """A measured value."""
    a, b = rng.randint(0, 40), rng.randint(1, 9)
    return either(f"{a}.{b}", f"{say(a)} point {UNITS[b]}")


def digits(rng):
    """A code of three or four digits, told digit by digit."""
    text = "".join(rng.choice("0123456789") for _ in range(rng.choice([3, 4])))
    return either(text, say_digits(text))


def phone(rng):
    """A number of the form 555, 1234."""
    text = "".join(rng.choice("0123456789") for _ in range(4))
    return "{555|five five five}, " + either(text, say_digits(text))


def room(rng):
    """The number of a room: 101 to 599."""
    n = rng.randint(1, 5) * 100 + rng.randint(1, 99)
    return either(n, say_pairs(n))
