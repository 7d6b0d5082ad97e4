"""Examines a model through unmodified whisper.cpp's command line or through Panotti's, and prints the table of
errors: of words, of names and numbers among them, of whole sentences, and of segments' times.

A word is an error when it is wrong, missing or too many (word error rate); case and punctuation do not count.
"""
import argparse
import dataclasses
import json
import re
import subprocess
import tempfile
from pathlib import Path

from . import words

NAMES = {it.lower() for it in words.NAMES}


def plain(text):
    """Words to compare: without case and punctuation, numbers whole."""
    text = text.lower().replace("p.m.", "pm").replace("a.m.", "am")
    text = re.sub(r"(\d),(\d\d\d)", r"\1\2", text)
    found = (it.strip(".:'") for it in re.sub(r"[^a-z0-9%$'.:]", " ", text).split())
    return [it for it in found if it]


def is_hard(word):
    """Names and numbers."""
    return word in NAMES or any(it.isdigit() for it in word)


def differences(said, heard):
    """(errors, errors on names and numbers of `said`), of a least alignment."""
    rows = [[(j, 0) for j in range(len(heard) + 1)]]
    for word in said:
        last, row = rows[-1], [(rows[-1][0][0] + 1, rows[-1][0][1] + is_hard(word))]
        for j, other in enumerate(heard):
            wrong = word != other
            row.append(min((last[j][0] + wrong, last[j][1] + (wrong and is_hard(word))),
                           (last[j + 1][0] + 1, last[j + 1][1] + is_hard(word)),
                           (row[j][0] + 1, row[j][1])))
        rows = [row]
    return rows[-1][-1]


@dataclasses.dataclass
class Sum:
    """What is counted of a group."""
    files: int = 0
    exact: int = 0
    words: int = 0
    errors: int = 0
    hard: int = 0
    hard_errors: int = 0

    def add(self, said, heard):
        errors, hard_errors = differences(said, heard)
        self.files += 1
        self.exact += errors == 0
        self.words += len(said)
        self.errors += errors
        self.hard += sum(map(is_hard, said))
        self.hard_errors += hard_errors

    def row(self, *heads):
        share = lambda a, b: f"{100 * a / b:.1f} %" if b else "–"
        errors = share(self.errors, self.words) if self.words else f"{self.errors} words"
        return f"| {' | '.join(heads)} | {self.files} | {errors} | {share(self.hard_errors, self.hard)} | " \
               f"{share(self.exact, self.files)} |"


def manifest(folder):
    """(file, group, voice, condition, sentences, times) of each row; also of tables without times."""
    for line in (folder / "manifest.tsv").read_text().splitlines():
        name, group, voice, condition, said, *times = line.split("\t")
        spans = [tuple(map(float, it.split("-"))) for it in times[0].split()] if times else []
        yield name, group, voice, condition, [it for it in said.split("|") if it], spans


def by_whisper(cli, model, files, threads, more):
    """File name → its segments (start s, end s, text), by one call of whisper-cli."""
    with tempfile.TemporaryDirectory() as folder:
        command = [cli, "-m", str(model), "-t", threads, "-oj", "-np", *more]
        for file in files:
            # It writes beside the audio.
            link = Path(folder) / file.name
            link.symlink_to(file.resolve())
            command += ["-f", str(link)]
        subprocess.run(command, check=True, capture_output=True)
        found = {}
        for file in files:
            text = (Path(folder) / f"{file.name}.json").read_text(errors="replace")
            found[file.name] = [(it["offsets"]["from"] / 1000, it["offsets"]["to"] / 1000, it["text"])
                                for it in json.loads(text)["transcription"]]
        return found


def by_panotti(binary, model, files, threads):
    """The same by one call of `panotti transcribe`: its detector of speech, its contexts, its retries."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([binary, "transcribe", "--format", "json", "--output", folder, "--model", str(model),
                        "--threads", threads, *map(str, files)], check=True, capture_output=True)
        read = lambda file: json.loads((Path(folder) / f"{file.stem}.json").read_text())["segments"]
        return {file.name: [(it["start"], it["end"], " " + it["text"]) for it in read(file)]
                for file in files}


def time_errors(segments, said, spans):
    """Seconds by which starts and ends of sentences that came out exactly are off."""
    truth = {tuple(plain(text)): span for text, span in zip(said, spans)}
    for start, end, text in segments:
        if span := truth.get(tuple(plain(text))):
            yield from (abs(start - span[0]), abs(end - span[1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("model", type=Path)
    add("folder", type=Path, help="made by demo_model.exam")
    add("--cli", default="whisper-cli", help="whisper.cpp's command line")
    add("--panotti", help="Panotti's binary: examine through it instead")
    add("--threads", default="1")
    add("--audio-ctx", default="0", help="whisper-cli: positions of the encoder, 20 ms; sentences alone")
    add("--prompt", default="", help="whisper-cli: initial prompt, as a meeting's title and names")
    add("--every", type=int, default=1, help="only each n-th file")
    add("--voices", action="store_true", help="a row for each voice")
    add("--show", type=int, default=0, help="print so many sentences with errors")
    args = parser.parse_args()
    rows = list(manifest(args.folder))[::args.every]
    if args.audio_ctx != "0":
        rows = [it for it in rows if len(it[4]) == 1]
    files = [args.folder / it[0] for it in rows]
    if args.panotti:
        heard = by_panotti(args.panotti, args.model, files, args.threads)
    else:
        more = ["-ac", args.audio_ctx] + (["--prompt", args.prompt] if args.prompt else [])
        heard = by_whisper(args.cli, args.model, files, args.threads, more)
    sums, off, shown = {}, [], 0
    for name, group, voice, condition, said, spans in rows:
        segments = heard[name]
        text = "".join(it[2] for it in segments)
        keys = [(group, condition)] + ([(f"{group}: {voice}", condition)] if args.voices else [])
        for key in keys:
            sums.setdefault(key, Sum()).add(plain(" ".join(said)), plain(text))
        off += time_errors(segments, said, spans)
        if plain(" ".join(said)) != plain(text) and shown < args.show:
            shown += 1
            print(f"{name} {voice} {condition}\n  said  {' '.join(said)}\n  heard{text}")
    print("| voices | sound | files | word errors | of names and numbers | exact |\n|---|---|---|---|---|---|")
    for key, it in sums.items():
        print(it.row(*key))
    if off:
        off.sort()
        within = sum(it <= .2 for it in off) / len(off)
        print(f"\nTimes of {len(off) // 2} exact sentences: median {off[len(off) // 2]:.2f} s off, "
              f"{100 * within:.0f} % within 0.2 s.")


if __name__ == "__main__":
    main()
