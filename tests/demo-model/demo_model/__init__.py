"""Panotti's demo model: a small Whisper trained from nothing on synthesised meeting English.

`../README.md` says how the parts follow each other; each module says what it owns.
"""
