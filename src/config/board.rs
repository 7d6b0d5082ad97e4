//! The boards: what is known of each, and the settings that fit it. Owns the form of `board-configs/*.yaml`,
//! which are compiled in, and choosing one; what its settings come to is resolved in `load`, and its build
//! settings are for whoever builds.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Origin, Override, Problem,
    load::{known, suggestion},
    yaml::{Node, Value},
};

/// Names the board at the top of the file. It is no key of a section: it says where values come from.
pub(super) const KEY: &str = "board";

/// Names the board in the environment.
pub(super) const VARIABLE: &str = "PANOTTI_BOARD";

/// A board by name, with its file.
#[derive(Debug, PartialEq, Eq)]
pub struct Board {
    /// Name of the file without `.yaml`, and of Yocto's machine where there is one.
    pub name: &'static str,
    /// The file.
    pub(super) text: &'static str,
}

/// What a board's file says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Its name for people.
    pub title: String,
    /// RAM that the settings are made for, in MiB; a board with more runs with them as well.
    pub memory_mib: u32,
    /// How the program is built for it.
    pub build: Build,
    /// Sections of `panotti.yaml` that hold on this board unless the site's file says otherwise.
    pub panotti: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
    /// Its limits of heat, where the vendor publishes them.
    pub thermal: Option<Thermal>,
    /// Lamps a person can see.
    #[serde(default)]
    pub leds: Vec<Line>,
    /// Buttons a person can press.
    #[serde(default)]
    pub buttons: Vec<Line>,
}

/// How the program is built for a board.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// Rust's name of the target.
    pub target: String,
    /// Cargo features beside the default ones.
    pub features: Vec<String>,
    /// Cargo features that the hardware has a use for and that are left to the builder.
    #[serde(default)]
    pub optional_features: Vec<String>,
    /// Variables of the environment to build with: flags for rustc, for C and C++, and what whisper.cpp's
    /// CMake takes.
    pub env: BTreeMap<String, String>,
}

/// Where the board slows itself down, in °C.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thermal {
    /// From here on it is slowed down.
    pub throttle_c: f32,
    /// Here it is slowed down or switched off without regard to anything.
    pub limit_c: f32,
    /// Where the vendor says so.
    pub source: String,
}

/// A lamp or a button.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What it is.
    pub name: String,
    /// Where Linux has it: a folder of `/sys/class/leds`, or a key code of its input device; a pin on the
    /// board where Linux has neither.
    pub at: String,
}

/// A USB microphone that needs no driver but the kernel's own, on any board.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Microphone {
    /// Name of the product.
    pub name: String,
    /// USB vendor and product in hex.
    pub usb: String,
    /// Where that is said.
    pub source: String,
}

macro_rules! boards {
    ($($name:literal),+ $(,)?) => {
        &[$(Board { name: $name, text: include_str!(concat!("../../board-configs/", $name, ".yaml")) }),+]
    };
}

/// All of them.
pub static BOARDS: &[Board] = boards![
    "generic-arm64",
    "generic-x86_64",
    "jetson-orin-nano",
    "jetson-xavier-nx",
    "raspberrypi4-64",
    "raspberrypi5",
];

impl Board {
    /// The board of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        BOARDS.iter().find(|it| it.name == name)
    }

    /// What its file says.
    ///
    /// # Errors
    /// When the file has another form, which is a fault of the program.
    pub fn facts(&self) -> Result<Facts, serde_saphyr::Error> {
        serde_saphyr::from_str(self.text)
    }
}

/// The board that was asked for and who asked: the command line before the environment before the file.
pub(super) fn chosen(
    root: Option<&Node>,
    at: &impl Fn(u64, u64) -> Origin,
    env: &[(String, String)],
    overrides: &[Override],
) -> Option<Result<(&'static Board, Origin), Problem>> {
    let option = overrides.iter().find(|it| it.key == KEY);
    let variable = env.iter().find(|it| it.0 == VARIABLE && !it.1.is_empty());
    let (name, origin) = if let Some(it) = option {
        (Some(it.value.as_str()), Origin::Option { option: it.option })
    } else if let Some((variable, name)) = variable {
        (Some(name.as_str()), Origin::Environment { variable: variable.clone() })
    } else {
        let node = root?.get(KEY).filter(|it| it.value != Value::Null)?;
        let name = if let Value::Text(it) = &node.value { Some(it.as_str()) } else { None };
        (name, at(node.line, node.column))
    };
    let names: Vec<_> = BOARDS.iter().map(|it| it.name).collect();
    let (what, instead) = match name {
        Some(name) => match Board::find(name) {
            Some(board) => return Some(Ok((board, origin))),
            None => (format!("there is no board {name:?}"), suggestion(name, "", &names)),
        },
        None => ("this is no name of a board".to_owned(), known(&names)),
    };
    Some(Err(Problem { origin, key: KEY.to_owned(), what, instead }))
}

/// Microphones that are known to work.
///
/// # Errors
/// When their file has another form, which is a fault of the program.
pub fn microphones() -> Result<Vec<Microphone>, serde_saphyr::Error> {
    serde_saphyr::from_str(include_str!("../../board-configs/microphones.yaml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    #[test]
    fn every_file_has_the_form_and_its_settings_resolve() {
        for board in BOARDS {
            let facts = board.facts().unwrap_or_else(|error| panic!("{}: {error}", board.name));
            assert!(facts.title.len() > 5 && facts.memory_mib >= 1024, "{}", board.name);
            let chosen = [Override::new("--board", "board", board.name)];
            let loaded = load::resolve(None, &[], &chosen).unwrap_or_else(|it| panic!("{it}"));
            for (section, keys) in facts.panotti {
                for key in keys.keys() {
                    let path = format!("{section}.{key}");
                    let origin = loaded.origins.get(path.as_str());
                    assert_eq!(origin, Some(&Origin::Board { name: board.name.into() }), "{path}");
                }
            }
        }
    }

    #[test]
    fn a_key_that_there_is_not_is_refused() {
        let text = BOARDS[0].text;
        assert!(serde_saphyr::from_str::<Facts>(text).is_ok());
        assert!(serde_saphyr::from_str::<Facts>(&format!("{text}\nfan: 1\n")).is_err());
        assert!(serde_saphyr::from_str::<Facts>(&text.replace("  target:", "  tarket:")).is_err());
    }
}
