//! `panotti serve`: the service, until SIGTERM or Ctrl-C.

use std::{net::SocketAddr, process::ExitCode};

use crate::{config::Config, daemon::Daemon, http::Access};

/// What `serve` is given.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address and port of the API and the page, such as 0.0.0.0:54789
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The microphone: an ALSA name (see `panotti devices`), or wav:FILE
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Whisper model in ggml form: a file, or a name such as base.en-q5_1
    #[arg(long, value_name = "FILE|NAME")]
    model: Option<String>,
}

/// Serves until told to stop.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let mut config = config.clone();
    config.server.listen = args.listen.unwrap_or(config.server.listen);
    config.audio.device = args.device.clone().unwrap_or(config.audio.device);
    config.transcription.model_on_command_line = args.model.is_some();
    config.transcription.model = args.model.clone().or(config.transcription.model);
    let mut daemon = Daemon::start(config, Access::Keys)?;
    let ended = daemon.run_until_signal();
    daemon.stop();
    ended.map(|()| ExitCode::SUCCESS)
}
