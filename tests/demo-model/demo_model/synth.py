"""Speaks the training set: sentences of the grammar in the trained voices, into shards of the pool.

Each shard depends on the seed and its number alone, whatever the number of processes; shards that are there
are not made again.
"""
import argparse
import multiprocessing
import random
from pathlib import Path

from . import grammar, heldout, pool, voices

UTTERANCES = 500  # in a shard: about 25 minutes, 45 MB
SALAD = .10  # share of utterances without meaning
LONGEST_S = 12


def utterance(rng):
    """One `(written, spoken, Speech)` that may be trained on."""
    while True:
        written, spoken = (grammar.salad if rng.random() < SALAD else grammar.sentence)(rng)
        if heldout.is_held_out(written):
            continue
        speech = voices.trained(spoken, rng)
        if speech and .25 < len(speech.samples) / voices.RATE_HZ < LONGEST_S:
            return written, spoken, speech


def shard(job):
    """Makes shard number `job[2]`."""
    folder, seed, number = job
    name = f"{seed}-{number:03d}"
    if not (folder / f"{name}.jsonl").exists():
        rng = random.Random(name)
        pool.write(folder, name, [utterance(rng) for _ in range(UTTERANCES)])
        print("spoken", name, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    jobs = [(args.folder, args.seed, it) for it in range(args.shards)]
    with multiprocessing.get_context("spawn").Pool(args.processes, maxtasksperchild=4) as workers:
        for _ in workers.imap_unordered(shard, jobs):
            pass


if __name__ == "__main__":
    main()
