//! What is wrong with a configuration, and where. Owns how a problem is worded and placed; leaves finding
//! it to its neighbours.

use std::{fmt, path::PathBuf};

use serde::Serialize;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// Built in.
    Default,
    /// The settings of a board.
    Board {
        /// Its name.
        name: String,
    },
    /// A place in the configuration file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// From 1; 0 when the place is not known.
        line: u64,
        /// From 1; 0 when the place is not known.
        column: u64,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// An option of the command line.
    Option {
        /// As it is written, `--data-dir`.
        option: &'static str,
    },
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where it was written.
    pub origin: Origin,
    /// The path of the key, `audio.rate_hz`; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub instead: String,
}

/// Everything that is wrong; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Board { name } => write!(f, "board {name}"),
            Self::File { path, line: 0, .. } => write!(f, "{}", path.display()),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Environment { variable } => write!(f, "environment {variable}"),
            Self::Option { option } => f.write_str(option),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.what, self.instead)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Problems {}
