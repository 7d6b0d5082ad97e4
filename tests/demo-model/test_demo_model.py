"""The rules that the recipe stands on: `make -C tests/demo-model check`. Speaks a few sentences, trains
nothing."""
import random
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from demo_model import (acoustics, evaluate, exam, features, ggml, grammar, heldout, lexicon, net, numbers,
                        pool, synth, tokens, voices, windows)

FIXTURES = Path(__file__).parent.parent / "fixtures/speech"


class Text(unittest.TestCase):
    def test_numbers_are_spoken_as_people_say_them(self):
        for n, said in ((0, "zero"), (14, "fourteen"), (40, "forty"), (99, "ninety nine"),
                        (500, "five hundred"), (12_345, "twelve thousand three hundred forty five"),
                        (3_000_000, "three million")):
            self.assertEqual(numbers.say(n), said)
        for n, said in ((2026, "twenty twenty six"), (205, "two oh five"), (500, "five hundred")):
            self.assertEqual(numbers.say_pairs(n), said)
        for n, said in ((1, "first"), (12, "twelfth"), (14, "fourteenth"), (22, "twenty second"),
                        (28, "twenty eighth")):
            self.assertEqual(numbers.say_ordinal(n), said)

    def test_no_sentence_keeps_marks_of_the_grammar(self):
        rng = random.Random(2)
        for _ in range(5000):
            for make in (grammar.sentence, grammar.salad):
                written, spoken = make(rng)
                self.assertNotRegex(written + spoken, r"[<>{}|]|  ")
                self.assertNotRegex(spoken, r"\d")

    def test_what_recordings_say_is_held_out_and_about_a_sixteenth_of_the_rest(self):
        said = [line.split("\t")[4] for line in (FIXTURES / "manifest.tsv").read_text().splitlines()]
        for path in FIXTURES.glob("*.txt"):
            said += path.read_text().splitlines()
        self.assertEqual([it for it in said if not heldout.is_held_out(it)], [])
        self.assertTrue(heldout.is_held_out(said[0].upper().replace(",", "")))
        rng = random.Random(3)
        drawn = [grammar.sentence(rng)[0] for _ in range(5000)]
        share = sum(map(heldout.is_held_out, drawn)) / len(drawn)
        self.assertTrue(.03 < share < .08, share)

    def test_tokens_write_what_was_encoded(self):
        rng = random.Random(4)
        for _ in range(300):
            written = " " + grammar.sentence(rng)[0]
            pieces = [tokens.vocabulary()[it] for it in tokens.encode(written)]
            self.assertEqual(b"".join(pieces).decode(), written)

    def test_errors_are_counted_whatever_case_and_punctuation(self):
        for said, heard, errors in (("Anna has $5,000.", "anna has $5000", (0, 0)),
                                    ("Anna has 5%.", "Emma has 5%", (1, 1)),
                                    ("At 3 p.m. on Monday.", "At 3 PM Monday", (1, 0)),
                                    ("", "Thank you.", (2, 0))):
            self.assertEqual(evaluate.differences(evaluate.plain(said), evaluate.plain(heard)), errors)


class Files(unittest.TestCase):
    def test_blocks_hold_the_weights_to_within_half_a_step(self):
        weights = torch.randn(64, 96, generator=torch.Generator().manual_seed(5)).numpy()
        for kind, size, levels in (("q8_0", 34, 254), ("q4_0", 18, 15), ("q4_1", 20, 15), ("q5_0", 22, 31),
                                   ("q5_1", 24, 31)):
            data = np.frombuffer(ggml.quantised(weights, kind), np.uint8).reshape(-1, size)
            scale = data[:, :2].copy().view("<f2").astype(np.float32)
            if kind == "q8_0":
                found = data[:, 2:].view(np.int8) * scale
            else:
                bits = data[:, -16:]
                values = np.concatenate([bits & 15, bits >> 4], 1).astype(np.int32)
                if kind.startswith("q5"):
                    fifth = np.unpackbits(data[:, size - 20:size - 16], axis=1, bitorder="little")
                    values += fifth.astype(np.int32) << 4
                if kind.endswith("_1"):
                    found = values * scale + data[:, 2:4].copy().view("<f2").astype(np.float32)
                else:
                    found = (values - (levels + 1) // 2) * scale
            blocks = weights.reshape(-1, 32)
            # The last level on the far side of a symmetric block may be a whole step off.
            step = np.abs(scale) * (1.01 if kind in ("q4_0", "q5_0") else .51) + 2e-3
            self.assertTrue((np.abs(found - blocks) <= step).all(), kind)

    def test_the_fixture_is_of_the_layout_that_is_written(self):
        with tempfile.TemporaryDirectory() as folder:
            out, shape = Path(folder) / "it.bin", {"width": 32, "heads": 1, "encoder_layers": 1,
                                                 "decoder_layers": 1}
            ggml.write(out, shape, features.mel_filters().numpy(), {}, "q5_1")
            fixture = (FIXTURES.parent / "panotti-demo.en-q5_1.bin").read_bytes()
            written = out.read_bytes()
        self.assertEqual(written[48:], fixture[48:len(written)])
        self.assertEqual(written[:4], fixture[:4])


class Windows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        folder, rng = Path(cls.folder.name), random.Random(6)
        lexicon.SENTENCES = 3000
        cls.lexicon = lexicon.Lexicon(folder / "lexicon.json")
        pool.write(folder, "it", [synth.utterance(rng) for _ in range(40)])
        cls.pool = pool.Pool(folder, cls.lexicon.knows)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def batches(self, kind):
        source = windows.Windows(self.pool, self.lexicon, {kind: 1}, 60, 8, prompts=.5)
        found = iter(source)
        return [next(found) for _ in range(20)]

    def test_scripts_fit_and_write_sentences_of_the_pool_in_order(self):
        said = {it["written"] for it in self.pool.spoken}
        for kind in ("one", "several", "full"):
            for batch in self.batches(kind):
                self.assertLessEqual(batch["shown"].shape[1], net.TEXT_CONTEXT)
                for wanted in batch["wanted"].tolist():
                    rows = [it for it in wanted if it >= 0]
                    times = [it for it in rows if it >= self.lexicon.first_timestamp]
                    self.assertEqual(times, sorted(times))
                    texts, text = [], b""
                    for row in rows:
                        if row < self.lexicon.first_timestamp and row != self.lexicon.end:
                            text += tokens.vocabulary()[self.lexicon.ids[row]]
                        elif text:
                            texts.append(text.decode().strip())
                            text = b""
                    if times:
                        self.assertLessEqual(set(texts), said)

    def test_a_batch_follows_from_the_seed(self):
        for first, second in zip(self.batches("several"), self.batches("several")):
            for name, value in first.items():
                self.assertTrue(torch.equal(value, second[name]), name)

    def test_nothing_sounds_after_a_recording_ends_and_held_out_voices_never_speak(self):
        heard = acoustics.Acoustics(9, "cpu")
        for batch in self.batches("one"):
            wave = heard(batch["wave"], batch["recorded"], batch["spoken"])
            self.assertTrue(torch.isfinite(features.log_mel(wave, features.mel_filters())).all())
            for row, end in zip(wave, batch["recorded"].tolist()):
                self.assertEqual(row[end:].abs().sum(), 0)
        self.assertFalse({it["voice"] for it in self.pool.spoken} & set(voices.HELD_OUT))

    def test_an_examination_asks_what_was_never_trained_on(self):
        asked = exam.sentences(random.Random(10))
        self.assertTrue(all(heldout.is_held_out(next(asked)[0]) for _ in range(50)))


if __name__ == "__main__":
    unittest.main()
