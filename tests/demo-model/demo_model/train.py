"""Trains one phase of the model, on a GPU when there is one.

A phase is a number of steps, so that it is the same wherever it runs. What is interrupted goes on where its
checkpoint stands; a phase begins from another's checkpoint with `--init`, whose rows may stand in another
order (an older grammar).
"""
import argparse
import itertools
import math
import os
import signal
import sys
import time
from pathlib import Path

import torch

from . import features, losses
from .acoustics import Acoustics
from .lexicon import Lexicon
from .net import Whisper
from .pool import Pool
from .windows import Windows

SAVE_EVERY_S = 120
WARPS = [.88, .91, .94, .97, 1.0, 1.0, 1.03, 1.06, 1.09, 1.12]  # of frequency: lengths of vocal tracts


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("out", type=Path, help="checkpoint, written and gone on from")
    add("--pool", type=Path, required=True, help="folder of demo_model.synth")
    add("--lexicon", type=Path, required=True, help="made when it is not there")
    add("--init", type=Path, help="checkpoint to begin from")
    add("--steps", type=int, required=True)
    add("--batch-s", type=float, default=60, help="audio in a batch")
    add("--lr", type=float, default=1e-3)
    add("--final", type=float, default=.02, help="share of the rate at the end")
    add("--warm", type=int, default=100, help="steps of warming up")
    add("--mix", default="one=.7,several=.2,full=.1", help="kinds of windows and their shares")
    add("--strength", type=float, default=.7, help="of rooms, microphones and noises")
    add("--ctc", type=float, default=.4)
    add("--positions", type=float, default=.3, help="weight of the phone of each position")
    add("--guide", type=float, default=.5)
    add("--width", type=int, default=128)
    add("--encoder-layers", type=int, default=4)
    add("--decoder-layers", type=int, default=4, help="never 2: whisper.cpp would drop timestamps")
    add("--seed", type=int, default=1)
    add("--workers", type=int, default=1, help="processes that lay windows")
    return parser.parse_args()


def adopt(model, state, ids, lexicon):
    """Takes another checkpoint's weights, its rows by their tokens; heads of another size stay as they are."""
    own = model.state_dict()
    rows = state["decoder.tok"]
    for at, token in enumerate(ids):
        if token in lexicon.row:
            own["decoder.tok"][lexicon.row[token]] = rows[at]
    taken = {k: v for k, v in state.items() if k != "decoder.tok" and own[k].shape == v.shape}
    model.load_state_dict(own | taken)


class Training:
    """The model, its mean and its optimiser, between checkpoints."""

    def __init__(self, args):
        self.args = args
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.manual_seed(args.seed)
        torch.set_flush_denormal(True)
        self.lexicon = Lexicon(args.lexicon)
        found = torch.load(args.init, map_location="cpu", weights_only=False) if args.init else None
        shape = {"width": args.width, "heads": args.width // 32, "encoder_layers": args.encoder_layers,
                 "decoder_layers": args.decoder_layers}
        self.model = Whisper(**shape, rows=len(self.lexicon.ids), phones=len(self.lexicon.phone))
        if found:
            adopt(self.model, found["model"], found["ids"], self.lexicon)
        self.model.to(self.device)
        flat = lambda wanted: [p for p in self.model.parameters() if (p.ndim >= 2) == wanted]
        self.optimiser = torch.optim.AdamW([{"params": flat(True), "weight_decay": .02},
                                            {"params": flat(False), "weight_decay": 0.0}],
                                           lr=args.lr, betas=(.9, .98), fused=True)
        self.mean = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.step = 0
        if args.out.exists():
            self._go_on(torch.load(args.out, map_location=self.device, weights_only=False))
        self.filters = features.warped_filters(features.mel_filters(), WARPS).to(self.device)
        self.acoustics = Acoustics(args.seed * 1000 + self.step, self.device, args.strength)

    def _go_on(self, found):
        self.model.load_state_dict(found["raw"])
        self.optimiser.load_state_dict(found["optimiser"])
        self.mean, self.step = found["model"], found["step"]

    def save(self):
        """Whole or not at all."""
        part = self.args.out.with_suffix(".part")
        torch.save({"model": self.mean, "raw": self.model.state_dict(), "step": self.step,
                    "optimiser": self.optimiser.state_dict(), "shape": self.model.shape,
                    "ids": self.lexicon.ids}, part)
        os.replace(part, self.args.out)

    def _rate(self):
        done = self.step / self.args.steps
        fall = self.args.final + (1 - self.args.final) * .5 * (1 + math.cos(math.pi * done))
        return self.args.lr * fall * min(1, (self.step + 1) / self.args.warm)

    def _mel(self, batch):
        wave = self.acoustics(batch["wave"], batch["recorded"], batch["spoken"])
        filters = self.filters[torch.randint(len(WARPS), (len(wave),)).to(self.device)]
        louder = torch.rand(len(wave), 1, 1).mul(3.2).sub(2.4).clamp(min=0).to(self.device)
        return features.normalised(features.log_mel(wave, filters), louder)

    def advance(self, batch):
        """One step; what is worth telling of it."""
        args, model = self.args, self.model.train()
        batch = {k: v.to(self.device, non_blocking=True) for k, v in batch.items()}
        with torch.no_grad():
            mel = self._mel(batch)
        with torch.autocast(self.device, torch.bfloat16):
            heard = model.encoder(mel)
            states, embedding = model.decoder(batch["shown"], heard)
            wanted = batch["wanted"].flatten()
            has_target = wanted != -100
            scores = states.flatten(0, 1)[has_target] @ embedding[:-1].t()
            sounds = model.ctc(heard)
        loss, text, times = losses.written(scores.float(), wanted[has_target], self.lexicon)
        ctc = losses.phones(sounds, batch)
        positions = losses.positions(sounds, batch["labels"])
        guide = losses.guide(model.decoder.blocks, batch["where"])
        total = loss + args.ctc * ctc + args.positions * positions + args.guide * guide
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        if torch.isfinite(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)):
            self.optimiser.step()
        self.step += 1
        keep = min(.998, self.step / (self.step + 10))
        with torch.no_grad():
            for name, value in model.state_dict().items():
                self.mean[name].lerp_(value, 1 - keep)
        return torch.stack([it.detach().float() for it in (loss, text, times, ctc, positions, guide)])


def main():
    args = arguments()
    # Whoever stops it finds it whole, where it stood.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    it = Training(args)
    mix = {kind: float(share) for kind, share in (part.split("=") for part in args.mix.split(","))}
    source = Windows(Pool(args.pool, it.lexicon.knows), it.lexicon, mix, args.batch_s,
                     args.seed * 1_000_003 + it.step)
    batches = iter(torch.utils.data.DataLoader(source, batch_size=None, num_workers=args.workers,
                                               prefetch_factor=2 if args.workers else None,
                                               pin_memory=it.device == "cuda"))
    print(f"{it.device}, {sum(p.numel() for p in it.model.parameters())} weights, {len(source.pool)} "
          f"utterances, step {it.step} of {args.steps}", flush=True)
    began = saved = time.time()
    told, audio_s = [], 0.0
    try:
        for batch in itertools.islice(batches, args.steps - it.step):
            audio_s += batch["wave"].numel() / 16000
            told.append(it.advance(batch))
            if it.step % 50 == 0:
                loss, text, times, ctc, positions, guide = torch.stack(told).mean(0).tolist()
                seconds = time.time() - began
                print(f"step {it.step} {seconds / 60:.1f} min, {audio_s / seconds:.0f} × real time:"
                      f" loss {loss:.3f} text {text:.3f} times {times:.3f} ctc {ctc:.3f}"
                      f" positions {positions:.3f} guide {guide:.3f}", flush=True)
                told = []
            if time.time() - saved > SAVE_EVERY_S:
                it.save()
                saved = time.time()
    finally:
        it.save()


if __name__ == "__main__":
    main()
