"""Whisper's log-mel features, as whisper.cpp computes them, for a batch; in torch, so that they are made
where the training runs. With them the warping of frequencies that stands for other vocal tracts."""
import numpy as np
import torch

from . import tokens

HOP, FFT = 160, 400


def mel_filters():
    """80 × 201, as Whisper's own."""
    return torch.from_numpy(np.load(tokens.assets() / "mel_filters.npz")["mel_80"]).float()


def warped_filters(filters, factors):
    """The filters with their frequencies times each factor: (factors, 80, 201)."""
    bins = np.arange(filters.shape[1])
    return torch.from_numpy(np.stack([
        np.stack([np.interp(bins * factor, bins, row, right=0.0) for row in filters.numpy()])
        for factor in factors])).float()


def log_mel(wave, filters):
    """(batch, samples) → (batch, 80, samples / 160), log10 of power. `filters`: one set for each."""
    window = torch.hann_window(FFT, device=wave.device)
    spectrum = torch.stft(wave, FFT, HOP, window=window, center=True, pad_mode="reflect",
                          return_complex=True)[..., :-1]
    return torch.clamp(filters @ (spectrum.real ** 2 + spectrum.imag ** 2), min=1e-10).log10()


def normalised(mel, louder=0.0):
    """As Whisper shows it to the encoder: 8 decades below the loudest. `louder` decades are added to that,
    as when something louder stands elsewhere in the recording."""
    loudest = mel.amax((1, 2), keepdim=True) + louder
    return (torch.maximum(mel, loudest - 8) + 4) / 4
