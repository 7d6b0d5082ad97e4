"""Reads a transcript's exports with other people's parsers and prints what they understood, as JSON.

Usage: exports.py FOLDER, which holds t.vtt, t.srt and t.html.
"""

import json
import pathlib
import sys
from html import unescape
from html.parser import HTMLParser

import srt
import webvtt

folder = pathlib.Path(sys.argv[1])


def seconds(time):
    hours, minutes, rest = time.split(":")
    return round(int(hours) * 3600 + int(minutes) * 60 + float(rest), 3)


class Page(HTMLParser):
    """Tags with their attributes, the text of elements, and whether all that was opened is closed."""

    VOID = {"meta", "br", "link", "img", "hr", "input"}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.text, self.balanced = [], [], [], {}, True

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend([tag, name, value] for name, value in attrs)
        if tag not in self.VOID:
            self.open.append(tag)
            self.text.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        self.balanced &= bool(self.open) and self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.text[self.open[-1]][-1] += data


page = Page()
page.feed((folder / "t.html").read_text(encoding="utf-8"))
page.close()

print(
    json.dumps(
        {
            "vtt": [
                {
                    "start": seconds(it.start),
                    "end": seconds(it.end),
                    "text": unescape(it.text),
                    "raw": it.raw_text,
                    "voice": it.voice,
                }
                for it in webvtt.read(str(folder / "t.vtt"))
            ],
            "srt": [
                {
                    "start": it.start.total_seconds(),
                    "end": it.end.total_seconds(),
                    "text": it.content,
                    "number": it.index,
                }
                for it in srt.parse((folder / "t.srt").read_text(encoding="utf-8"))
            ],
            "html": {
                "balanced": page.balanced and not page.open,
                "tags": sorted(set(page.tags)),
                "attributes": page.attributes,
                "text": page.text,
            },
        }
    )
)
