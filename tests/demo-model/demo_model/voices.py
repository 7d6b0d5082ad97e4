"""The voices: espeak-ng and flite inside this process, festival beside it; all at 16 kHz, mono.

Training takes `trained`, which draws voice, rate, pitch and vocal tract; examinations take `neutral`, which
speaks plainly with a voice by name. What is in `HELD_OUT` never comes out of `trained`.
"""
import ctypes as c
import dataclasses
import functools
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import scipy.io.wavfile
from scipy.signal import resample_poly

RATE_HZ = 16000
FRAME = 320  # samples of one position of Whisper's encoder, 20 ms: what a phone label stands for
SILENCE = "_"

ACCENTS = ["en-us"] * 5 + ["en"] * 3 + ["en-gb-scotland", "en-gb-x-rp", "en-gb-x-rp",
                                         "en-gb-x-gbcwmd", "en-gb-x-gbclan", "en-us-nyc"]
VARIANTS = [""] * 6 + """m1 m2 m3 m4 m6 m7 m8 f1 f2 f3 f5 klatt klatt2 klatt3 klatt4 klatt5 klatt6 adam Alex
Alicia Andy Annie anika antonio aunty belinda benjamin boris caleb david Denis Diogo ed edward edward2 Gene
Gene2 grandma grandpa gustave Henrique Hugo Jacky john kaukovalta Lee linda marcelo Marco Mario max Michael
michel miguel Mike norbert pablo paul pedro quincy rob sandro shelby steph steph2 steph3 travis victor
zac""".split()
FLITE = ["kal16", "kal16", "awb", "rms", "slt"]
HELD_OUT = ["espeak/en-us+f4", "espeak/en+m5", "espeak/en-us+robert", "espeak/en+Andrea",
            "festival/ked"]


@dataclasses.dataclass
class Speech:
    """What was said: samples in -1..1, and the phone of each 20 ms where the voice tells it."""
    samples: np.ndarray
    voice: str
    phones: str = ""


class _EventId(c.Union):
    _fields_ = [("number", c.c_int), ("name", c.c_char_p), ("string", c.c_char * 8)]


class _Event(c.Structure):
    """`espeak_EVENT` of espeak-ng's speak_lib.h."""
    _fields_ = [("type", c.c_int), ("unique", c.c_uint), ("text_position", c.c_int), ("length", c.c_int),
                ("audio_position", c.c_int), ("sample", c.c_int), ("user", c.c_void_p), ("id", _EventId)]


def plain_phones(mnemonics):
    """espeak's mnemonics without stress, length and pauses: a character a phone."""
    return re.sub(r"[',_:|\-=\s%#;!0-9]", "", mnemonics)


class _Espeak:
    """The library has one state in a process."""
    SYNCHRONOUS, PHONEME_EVENTS, PHONEME = 2, 1, 7
    RATE, PITCH, RANGE = 1, 3, 4

    def __init__(self):
        self.library = c.CDLL("libespeak-ng.so.1")
        self.library.espeak_TextToPhonemes.restype = c.c_char_p
        self.rate_hz = self.library.espeak_Initialize(self.SYNCHRONOUS, 0, None, self.PHONEME_EVENTS)
        self.samples, self.events = [], []
        kind = c.CFUNCTYPE(c.c_int, c.POINTER(c.c_short), c.c_int, c.POINTER(_Event))
        self.callback = kind(self._take)  # kept: the library holds only a pointer
        self.library.espeak_SetSynthCallback(self.callback)

    def _take(self, samples, count, events):
        if samples and count > 0:
            self.samples.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while events[i].type != 0:
            if events[i].type == self.PHONEME:
                mnemonic = bytes(events[i].id.string).split(b"\0")[0].decode("utf8", "replace")
                self.events.append((events[i].audio_position / 1000, mnemonic))
            i += 1
        return 0

    def voice(self, name):
        if self.library.espeak_SetVoiceByName(name.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {name}")

    def say(self, text, voice, rate, pitch, pitch_range=50):
        """(samples, [(second, mnemonic)])."""
        self.samples.clear()
        self.events.clear()
        self.voice(voice)
        for parameter, value in ((self.RATE, rate), (self.PITCH, pitch), (self.RANGE, pitch_range)):
            self.library.espeak_SetParameter(parameter, value, 0)
        data = text.encode()
        self.library.espeak_Synth(data, len(data) + 1, 0, 1, 0, 1, None, None)
        self.library.espeak_Synchronize()
        return np.concatenate(self.samples).astype(np.float32) / 32768, list(self.events)

    def phonemes(self, word):
        self.voice("en-us")
        text = c.c_char_p(word.encode())
        return self.library.espeak_TextToPhonemes(c.byref(text), 1, 0).decode()


class _FliteWave(c.Structure):
    """`cst_wave` of flite."""
    _fields_ = [("type", c.c_char_p), ("sample_rate", c.c_int), ("num_samples", c.c_int),
                ("num_channels", c.c_int), ("samples", c.POINTER(c.c_short))]


class _FliteVoice(c.Structure):
    """The beginning of `cst_voice` of flite."""
    _fields_ = [("name", c.c_char_p), ("features", c.c_void_p)]


class _Flite:
    def __init__(self):
        self.library = c.CDLL("libflite.so.1", mode=c.RTLD_GLOBAL)
        for it in ("usenglish", "cmulex"):
            c.CDLL(f"libflite_{it}.so.1", mode=c.RTLD_GLOBAL)
        self.library.flite_init()
        self.library.flite_text_to_wave.restype = c.POINTER(_FliteWave)
        self.library.flite_text_to_wave.argtypes = [c.c_char_p, c.c_void_p]
        self.library.flite_feat_set_float.argtypes = [c.c_void_p, c.c_char_p, c.c_float]

    @functools.cache
    def voice(self, name):
        register = getattr(c.CDLL(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
        register.restype, register.argtypes = c.c_void_p, [c.c_char_p]
        return register(None)

    def say(self, text, voice, stretch=1.0, pitch_hz=None):
        handle = self.voice(voice)
        features = c.cast(handle, c.POINTER(_FliteVoice)).contents.features
        self.library.flite_feat_set_float(features, b"duration_stretch", stretch)
        if pitch_hz:
            self.library.flite_feat_set_float(features, b"int_f0_target_mean", pitch_hz)
        wave = self.library.flite_text_to_wave(text.encode(), handle)
        found = wave.contents
        samples = np.ctypeslib.as_array(found.samples, (found.num_samples,)).astype(np.float32) / 32768
        rate_hz = found.sample_rate
        self.library.delete_wave(wave)
        return samples, rate_hz


@functools.cache
def espeak():
    """The one espeak-ng of this process."""
    return _Espeak()


@functools.cache
def flite():
    """The one flite of this process."""
    return _Flite()


def _resampled(samples, rate_hz, speed=1.0):
    """At 16 kHz, `speed` times as fast and as high: another vocal tract. Also the factor by which times grew,
    which is rounded so that the filter stays short."""
    grid = 50
    wanted = round(RATE_HZ / speed / grid) * grid
    if wanted != rate_hz:
        samples = resample_poly(samples, wanted // grid, rate_hz // grid).astype(np.float32)
    return samples, wanted / RATE_HZ


def _phone_frames(events, end, count):
    """The phone of each 20 ms; `?` where the voice's phone is none of a character."""
    frames = [SILENCE] * count
    for (start, mnemonic), (stop, _) in zip(events, events[1:] + [(end, "")]):
        found = plain_phones(mnemonic)
        if not found:
            continue
        edges = np.linspace(start, stop, len(found) + 1) * RATE_HZ / FRAME
        for phone, a, b in zip(found, edges, edges[1:]):
            a, b = round(a), min(round(b), count)
            frames[a:b] = [phone] * (b - a)
    return "".join(frames)


def _trimmed(samples, phones):
    """Without the silence around it, at a peak of 0.5; nothing when nothing was said."""
    peak = np.abs(samples).max(initial=0)
    if peak < 1e-3:
        return None
    loud = np.flatnonzero(np.abs(samples) > .01 * peak)
    start = max(0, loud[0] - 480) // FRAME * FRAME
    stop = loud[-1] + 800
    return samples[start:stop] * (.5 / peak), phones[start // FRAME:stop // FRAME + 1]


def _espeak_speech(text, name, speed=1.0, **how):
    samples, events = espeak().say(text, name, **how)
    seconds = len(samples) / espeak().rate_hz
    samples, factor = _resampled(samples, espeak().rate_hz, speed)
    events = [(at * factor, it) for at, it in events]
    return samples, _phone_frames(events, seconds * factor, len(samples) // FRAME + 1)


def trained(text, rng):
    """`text` in a voice drawn from those that are trained on; `None` when the voice fails on it."""
    if rng.random() < .55:
        while True:
            variant = rng.choice(VARIANTS)
            name = rng.choice(ACCENTS) + (f"+{variant}" if variant else "")
            if f"espeak/{name}" not in HELD_OUT:
                break
        speed = 1.0 if rng.random() < .3 else rng.uniform(.9, 1.12)
        samples, phones = _espeak_speech(text, name, speed, rate=rng.randint(125, 215),
                                         pitch=rng.randint(20, 80), pitch_range=rng.randint(30, 70))
        voice = f"espeak/{name}"
    else:
        name, stretch = rng.choice(FLITE), rng.uniform(.82, 1.25)
        pitch_hz = rng.uniform(75, 190) if name == "kal16" else None
        samples, rate_hz = flite().say(text, name, stretch, pitch_hz)
        samples, _ = _resampled(samples, rate_hz, 1.0 if rng.random() < .25 else rng.uniform(.82, 1.22))
        voice, phones = f"flite/{name}", ""
    found = _trimmed(samples, phones)
    return None if found is None else Speech(found[0], voice, found[1])


def neutral(text, voice):
    """`text` plainly in the voice of that name, held out or not."""
    kind, _, name = voice.partition("/")
    if kind == "espeak":
        samples, _ = _espeak_speech(text, name, rate=160, pitch=50)
    elif kind == "flite":
        samples, rate_hz = flite().say(text, name, 1.0, 100.0 if name == "kal16" else None)
        samples, _ = _resampled(samples, rate_hz)
    else:
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            subprocess.run(["text2wave", "-eval", f"(voice_{name}_diphone)", "-o", file.name],
                           input=text.encode(), check=True, capture_output=True)
            rate_hz, samples = scipy.io.wavfile.read(Path(file.name))
        samples, _ = _resampled(samples.astype(np.float32) / 32768, rate_hz)
    return Speech(_trimmed(samples, "")[0], voice)
