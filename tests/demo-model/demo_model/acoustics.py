"""What lies between a mouth and the samples: rooms, microphones, noises, levels. For a batch of windows, in
torch; everything is drawn from the generator that is handed in.

Rooms are drawn, not measured: early reflections and an exponentially decaying tail (Polack's model).
Microphones are a smooth random response over the logarithm of frequency between a high and a low pass.
"""
import numpy as np
import torch
from scipy.fft import next_fast_len

RATE_HZ = 16000
TAIL = RATE_HZ // 2  # samples of an impulse response
NOISE = RATE_HZ * 31  # samples of a noise: more than a window
ROOMS, MICROPHONES, NOISES = 200, 400, 64


def _rooms(rng):
    found = np.zeros((ROOMS, TAIL), np.float32)
    seconds = np.arange(TAIL) / RATE_HZ
    for response in found:
        decay_s, tail = rng.uniform(.12, .8), rng.uniform(.02, .5)
        late = rng.standard_normal(TAIL) * 10 ** (-3 * seconds / decay_s)
        late[:rng.integers(40, 400)] = 0
        response += late / np.sqrt((late ** 2).sum()) * tail
        for _ in range(rng.integers(2, 12)):
            response[rng.integers(30, 800)] += rng.uniform(-.4, .4)
        response[0] = 1
    return found


def _microphones(rng):
    hz = np.fft.rfftfreq(1024, 1 / RATE_HZ)
    found = np.zeros((MICROPHONES, len(hz)), np.float32)
    for response in found:
        knots = np.geomspace(60, 8000, 9)
        db = np.interp(hz, knots, np.cumsum(rng.normal(0, 2, 9)))
        low, high = rng.choice([20, rng.uniform(50, 350)]), rng.choice([9000, rng.uniform(3300, 8000)])
        response[:] = 10 ** ((db - db.mean()) / 20) / np.sqrt(1 + (low / np.maximum(hz, 1)) ** 4) \
            / np.sqrt(1 + (hz / high) ** 12)
    return found


def coloured(rng, slope):
    """Noise whose amplitude falls with frequency to the power of `slope`: .5 is pink."""
    spectrum = np.fft.rfft(rng.standard_normal(NOISE))
    hz = np.maximum(np.fft.rfftfreq(NOISE, 1 / RATE_HZ), 20)
    return np.fft.irfft(spectrum * hz ** -slope, NOISE)


def hum(rng):
    """Mains or a fan: harmonics over a little hiss."""
    t, base_hz = np.arange(NOISE) / RATE_HZ, rng.uniform(45, 130)
    tones = sum(rng.random() / k * np.sin(2 * np.pi * base_hz * k * t + rng.uniform(0, 6))
                for k in range(1, 12))
    return tones + coloured(rng, .5) / 10


def knocks(rng):
    """A keyboard, cups, a door, on a faint hiss."""
    found = .003 * rng.standard_normal(NOISE)
    for _ in range(rng.integers(20, 150)):
        at, length = rng.integers(0, NOISE - 2400), rng.integers(80, 2000)
        found[at:at + length] += rng.standard_normal(length) * np.exp(-np.arange(length) / (length / 5)) \
            * rng.uniform(.1, 1)
    return found


def music(rng):
    """Chords that fade, with a drum."""
    found, beat = np.zeros(NOISE), int(RATE_HZ * rng.uniform(.25, .7))
    for at in range(0, NOISE - beat, beat):
        length = min(NOISE - at, int(beat * rng.uniform(1, 4)))
        t = np.arange(length) / RATE_HZ
        root_hz = 110 * 2 ** (rng.integers(0, 24) / 12)
        for step in rng.choice([0, 3, 4, 7, 10, 12], rng.integers(1, 4), replace=False):
            for k in range(1, 6):
                found[at:at + length] += np.sin(2 * np.pi * root_hz * 2 ** (step / 12) * k * t) \
                    * np.exp(-t * rng.uniform(1, 6)) * rng.random() / k
        if rng.random() < .5:
            found[at:at + 800] += rng.standard_normal(800) * np.exp(-np.arange(800) / 150)
    return found


def _noises(rng):
    kinds = [lambda: coloured(rng, .5), lambda: coloured(rng, rng.uniform(0, 1.2)), lambda: hum(rng),
             lambda: knocks(rng), lambda: coloured(rng, rng.uniform(0, .6)), lambda: music(rng)]
    found = [kinds[i % len(kinds)]() for i in range(NOISES)]
    return np.stack([it / np.sqrt((it ** 2).mean()) for it in found]).astype(np.float32)


class Acoustics:
    """Banks of rooms, microphones and noises on a device."""

    def __init__(self, seed, device, strength=1.0):
        rng = np.random.default_rng(seed)
        self.rooms, self.microphones, self.noises = (
            torch.from_numpy(it).to(device) for it in (_rooms(rng), _microphones(rng), _noises(rng)))
        self.strength, self.device = strength, device
        self.generator = torch.Generator("cpu").manual_seed(seed)

    def _draw(self, count, low=0.0, high=1.0):
        drawn = torch.rand(count, generator=self.generator) * (high - low) + low
        return drawn.to(self.device)

    def _pick(self, bank, count):
        return bank[torch.randint(len(bank), (count,), generator=self.generator).to(self.device)]

    def _chance(self, count, share):
        return (self._draw(count) < share * self.strength)[:, None]

    def _through_room(self, wave):
        """Each window through a room and a microphone, or as it is."""
        count, samples = wave.shape
        size = next_fast_len(samples + TAIL, real=True)
        room = torch.fft.rfft(self._pick(self.rooms, count), size)
        room = torch.where(self._chance(count, .6), room, torch.ones_like(room))
        microphone = torch.nn.functional.interpolate(self._pick(self.microphones, count)[:, None],
                                                     room.shape[1], mode="linear")[:, 0]
        microphone = torch.where(self._chance(count, .6), microphone, torch.ones_like(microphone))
        return torch.fft.irfft(torch.fft.rfft(wave, size) * room * microphone, size)[:, :samples]

    def _noise(self, wave):
        """Something else that sounds, of power 1: a noise, or other people of the batch."""
        count, samples = wave.shape
        noise = self._pick(self.noises, count)
        noise = noise.roll(int(torch.randint(NOISE, (1,), generator=self.generator)), 1)[:, :samples]
        others = torch.zeros_like(wave)
        for _ in range(4):
            order = torch.randperm(count, generator=self.generator).to(self.device)
            others += wave[order].roll(int(torch.randint(samples, (1,), generator=self.generator)), 1)
        power = (others ** 2).mean(1, keepdim=True)
        heard = (self._draw(count) < .25)[:, None] & (power > 1e-9)
        return torch.where(heard, others * (power + 1e-12).rsqrt(), noise)

    def __call__(self, wave, recorded, spoken):
        """`wave` (batch, samples; 16 bits) as a microphone gives it, in -1..1. `recorded` (batch): samples
        after which the recording ends and Whisper's own silence follows. `spoken` (batch): whether anything
        is said; where it is not, the noise stays and others' speech does not count as noise."""
        count, samples = wave.shape
        wave = wave.float() / 32768
        dry_power = (wave ** 2).sum(1) / (wave.abs() > .005).sum(1).clamp(min=1)
        heard = self._through_room(wave)
        noise = self._noise(wave)
        plain = self._pick(self.noises, count)[:, :samples]
        noise = torch.where(spoken[:, None], noise, plain)
        ratio_db = torch.where(self._draw(count) < .5, self._draw(count, 5, 20), self._draw(count, 15, 45))
        level = torch.where(spoken, dry_power, torch.full_like(dry_power, .01)) * 10 ** (-ratio_db / 10)
        noisy = self._chance(count, .65) | (~spoken[:, None] & (self._draw(count) < .9)[:, None])
        heard = heard + torch.where(noisy, noise * level.sqrt()[:, None], torch.zeros_like(noise))
        loudest = heard.abs().amax(1, keepdim=True).clamp(min=1e-4)
        gain = torch.where(spoken[:, None], 10 ** (self._draw(count, -35, -1)[:, None] / 20) / loudest,
                           10 ** (self._draw(count, -30, 0)[:, None] / 20))
        heard = (heard * gain).clamp(-1, 1)
        heard = (heard * 32768).round() / 32768
        return heard * (torch.arange(samples, device=self.device)[None] < recorded[:, None])
