//! Agreeing with a device on format, rate, channels and buffer. Owns the order of preference; leaves
//! opening to `device`.
//!
//! What is configured must be exact. What is not: 48,000 Hz or the nearest rate the device has, then the
//! fewest channels, then the first of S16_LE, S24_3LE, S24_LE, S32_LE, FLOAT_LE (16 bits hold more than
//! a room and its microphone give, and take the least of the disk).

use alsa::{
    ValueOr,
    pcm::{Access, Format, HwParams},
};

use super::{Capabilities, Error, device::Device};
use crate::{
    audio::{SampleFormat, StreamFormat},
    config,
    status::MAX_CHANNELS,
};

/// The rate taken when none is configured, Hz: what nearly every microphone has natively.
const PREFERRED_RATE: u32 = 48_000;
/// Rates looked for when listing, Hz.
const RATES: [u32; 14] = [
    8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000, 176_400,
    192_000,
];
/// A read takes at most this many periods' time, so that a level is never old: 100 ms.
const READS_PER_SECOND: u32 = 10;

/// What was agreed on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Agreed {
    pub(super) format: StreamFormat,
    /// Frames to read at once.
    pub(super) period_frames: usize,
}

/// What must be exact.
#[derive(Debug, Clone, Copy)]
struct Wish {
    sample: Option<SampleFormat>,
    rate_hz: Option<u32>,
    channels: Option<u16>,
}

/// Sets the device up for capture as `wanted`; `previous` is tried first, so that a device that comes back
/// goes on as before.
pub(super) fn negotiate(
    device: &Device,
    wanted: &config::Audio,
    previous: Option<StreamFormat>,
) -> Result<Agreed, Error> {
    let configured = Wish { sample: wanted.format, rate_hz: wanted.rate_hz, channels: wanted.channels };
    let again = previous.map(|it| Wish {
        sample: Some(it.sample),
        rate_hz: Some(it.rate_hz),
        channels: Some(it.channels),
    });
    let chosen = match again.map(|it| choose(device, it)) {
        Some(Ok(chosen)) => chosen,
        _ => choose(device, configured)?,
    };
    let (hw, format) = chosen;
    let agree = || -> alsa::Result<Agreed> {
        let micros = |ms: u32| ms.saturating_mul(1000);
        hw.set_period_time_near(micros(wanted.period_ms), ValueOr::Nearest)?;
        hw.set_buffer_time_near(micros(wanted.buffer_ms), ValueOr::Nearest)?;
        device.pcm.hw_params(&hw)?;
        let period = hw.get_period_size()?;
        let sw = device.pcm.sw_params_current()?;
        sw.set_avail_min(period)?;
        device.pcm.sw_params(&sw)?;
        let longest = (format.rate_hz / READS_PER_SECOND).max(1) as usize;
        Ok(Agreed { format, period_frames: usize::try_from(period).unwrap_or(longest).clamp(1, longest) })
    };
    agree().map_err(|it| device.set_up_error(it))
}

/// Narrows the device's possibilities to one format.
fn choose(device: &Device, wish: Wish) -> Result<(HwParams<'_>, StreamFormat), Error> {
    let fail = |it| device.set_up_error(it);
    let hw = HwParams::any(&device.pcm).map_err(fail)?;
    hw.set_access(Access::RWInterleaved).map_err(fail)?;
    // What is configured narrows first, so that the rest is chosen from what goes with it.
    if let Some(rate) = wish.rate_hz {
        exact(device, hw.set_rate(rate, ValueOr::Nearest), || format!("{rate} Hz"))?;
    }
    if let Some(channels) = wish.channels {
        exact(device, hw.set_channels(channels.into()), || format!("{channels} channels"))?;
    }
    if let Some(sample) = wish.sample {
        exact(device, hw.set_format(alsa_format(sample)), || sample.to_string())?;
    }
    let rate_hz = match wish.rate_hz {
        Some(rate) => rate,
        None => hw.set_rate_near(PREFERRED_RATE, ValueOr::Nearest).map_err(fail)?,
    };
    if !(RATES[0]..=RATES[RATES.len() - 1]).contains(&rate_hz) {
        return Err(unsupported(device, "a rate from 8000 to 192000 Hz".into()));
    }
    let channels = match wish.channels {
        Some(channels) => channels,
        None => {
            let fewest = (1..=MAX_CHANNELS as u16).find(|it| hw.set_channels((*it).into()).is_ok());
            fewest.ok_or_else(|| unsupported(device, "1 to 16 channels".into()))?
        }
    };
    let sample = match wish.sample {
        Some(sample) => sample,
        None => {
            let best = SampleFormat::ALL.into_iter().find(|it| hw.set_format(alsa_format(*it)).is_ok());
            best.ok_or_else(|| unsupported(device, "a known sample format".into()))?
        }
    };
    Ok((hw, StreamFormat { sample, rate_hz, channels }))
}

fn exact(device: &Device, set: alsa::Result<()>, wanted: impl FnOnce() -> String) -> Result<(), Error> {
    set.map_err(|_| unsupported(device, wanted()))
}

fn unsupported(device: &Device, wanted: String) -> Error {
    let has = capabilities(device).map_or_else(|_| "unknown".into(), |it| it.to_string());
    Error::Unsupported { device: device.name.clone(), wanted, has }
}

/// What a device offers, each by itself: not every combination need go together.
pub(super) fn capabilities(device: &Device) -> Result<Capabilities, Error> {
    let hw = HwParams::any(&device.pcm).map_err(|it| device.set_up_error(it))?;
    Ok(Capabilities {
        formats: SampleFormat::ALL
            .into_iter()
            .filter(|it| hw.test_format(alsa_format(*it)).is_ok())
            .collect(),
        rates_hz: RATES.into_iter().filter(|it| hw.test_rate(*it).is_ok()).collect(),
        channels: (1..=MAX_CHANNELS as u16).filter(|it| hw.test_channels((*it).into()).is_ok()).collect(),
    })
}

fn alsa_format(sample: SampleFormat) -> Format {
    match sample {
        SampleFormat::S16Le => Format::S16LE,
        SampleFormat::S24Le3 => Format::S243LE,
        SampleFormat::S24Le => Format::S24LE,
        SampleFormat::S32Le => Format::S32LE,
        SampleFormat::FloatLe => Format::FloatLE,
    }
}
