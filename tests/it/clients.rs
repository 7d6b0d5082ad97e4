//! Other people's programs: Python clients and parsers from PyPI, and ffmpeg. Owns finding them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Runs `tests/clients/{script}` with the packages of `tests/clients/requirements.txt`; `.ci/setup test`
/// makes their environment.
pub(crate) fn python(script: &str) -> Command {
    let python = environment().join("bin/python");
    assert!(python.exists(), "there is no {}: run `.ci/setup test`, as `make test` does", python.display());
    let mut command = Command::new(python);
    command.arg(root().join("tests/clients").join(script));
    command
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn environment() -> PathBuf {
    root().join("target/clients")
}
