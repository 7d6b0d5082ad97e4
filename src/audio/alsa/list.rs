//! Which capture devices there are. Owns asking ALSA's configuration (hints) and the sound cards
//! themselves; leaves listening to them to `capture`.

use alsa::{
    Direction,
    card::{Card, Iter as Cards},
    ctl::{Ctl, DeviceIter},
    device_name::HintIter,
};

use super::{
    Capabilities, Device, Error,
    device::{self, Words, system},
    negotiate::capabilities,
};
use crate::audio::sink::chain;

/// Names that alsa-lib and its plugins always configure: converters, no microphones.
const NOT_A_SOURCE: [&str; 9] =
    ["null", "lavrate", "samplerate", "speexrate", "speex", "upmix", "vdownmix", "oss", "jack"];

/// All capture devices: sound cards first, then what the configuration of ALSA makes of them. Each is
/// opened for a moment.
pub fn list() -> Result<Vec<Device>, Error> {
    // Kept alive: what alsa-lib says while listing goes here, not to the terminal.
    let _words = Words::collect();
    let mut found = Vec::new();
    for card in Cards::new() {
        let card = card.map_err(list_error)?;
        // A card that vanishes meanwhile is no card.
        found.extend(inputs(card).unwrap_or_default());
    }
    for hint in HintIter::new(None, c"pcm").map_err(list_error)? {
        let Some(name) = hint.name else { continue };
        let plays_only = hint.direction == Some(Direction::Playback);
        let known = found.iter().any(|(it, ..)| *it == name) || name.starts_with("hw:");
        if plays_only || known || NOT_A_SOURCE.contains(&name.as_str()) {
            continue;
        }
        found.push((name, hint.desc.unwrap_or_default().replace('\n', ", "), false));
    }
    Ok(found
        .into_iter()
        .filter_map(|(name, description, hardware)| match probe(&name) {
            Ok(capabilities) => {
                Some(Device { name, description, hardware, capabilities: Some(capabilities), problem: None })
            }
            // Converters and servers that are configured but not there would only hide what is.
            Err(Error::Open { source, .. }) if !hardware && !is_in_use(&source) => None,
            Err(error) => {
                Some(Device { name, description, hardware, capabilities: None, problem: Some(chain(&error)) })
            }
        })
        .collect())
}

/// What the device of this ALSA name can do; opens it for a moment.
pub fn probe(name: &str) -> Result<Capabilities, Error> {
    capabilities(&device::Device::open(name)?)
}

fn is_in_use(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EAGAIN | libc::EACCES | libc::EPERM))
}

/// The capture devices of one card: name, description, hardware.
fn inputs(card: Card) -> alsa::Result<Vec<(String, String, bool)>> {
    let ctl = Ctl::from_card(&card, true)?;
    let info = ctl.card_info()?;
    let (id, card_name) = (info.get_id()?.to_owned(), info.get_name()?.to_owned());
    Ok(DeviceIter::new(&ctl)
        .filter_map(|number| {
            let number = u32::try_from(number).ok()?;
            let pcm = ctl.pcm_info(number, 0, Direction::Capture).ok()?;
            let pcm_name = pcm.get_name().unwrap_or_default();
            Some((format!("hw:CARD={id},DEV={number}"), format!("{card_name}, {pcm_name}"), true))
        })
        .collect())
}

fn list_error(error: alsa::Error) -> Error {
    Error::List { operation: error.func(), source: system(error) }
}
