//! The whole service. Owns starting its parts in order, waiting for the end, and stopping them in
//! reverse; leaves each part's work to the part.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use panotti_sdk::{EventType, NewEvent, names, payloads};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
    sync::{oneshot, watch},
    task::JoinHandle,
};

use crate::{
    bus::{Bus, Running},
    config::{Config, Sources},
    data_dir,
    event_log::{Batch, EventLog},
    http::{self, Access},
    live::Live,
    models::Models,
    pipeline::Pipeline,
    plugins::{PLUGINS, Plugins, Site},
    recordings::{self, Recordings},
    security::Keys,
    speech,
    status::{CaptureState, ModelState, Status},
    systemd,
    upkeep::Upkeep,
};

/// Stopping may take this long altogether; systemd's own limit should be longer.
const STOP_WITHIN: Duration = Duration::from_secs(8);

/// The running service.
#[derive(Debug)]
pub struct Daemon {
    address: SocketAddr,
    status: Arc<Status>,
    recordings: Recordings,
    log: EventLog,
    pipeline: Pipeline,
    upkeep: Upkeep,
    bus: Bus,
    /// Ends with the bus.
    _following: Running,
    plugins: Plugins,
    /// `None` once it has ended.
    http: Option<JoinHandle<io::Result<()>>>,
    stop_http: oneshot::Sender<()>,
    /// Becomes true at SIGTERM or SIGINT.
    signalled: watch::Receiver<bool>,
    runtime: Runtime,
    /// Last: the directory is free when everything else is gone.
    _lock: data_dir::Lock,
}

impl Daemon {
    /// Starts everything. When it returns, the API listens and the microphone runs or is being looked for.
    pub fn start(config: Config, access: Access) -> anyhow::Result<Self> {
        let status = Arc::new(Status::default());
        let lock = data_dir::Lock::take(&config.storage.data_dir)?;
        let opening = data_dir::Opening::begin(&config)?;
        let log = data_dir::open_log(&config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("http")
            .enable_all()
            .build()
            .context("cannot start the HTTP threads")?;
        let bus = Bus::start(log.clone(), runtime.handle().clone()).context("cannot start the event bus")?;
        let site = Site {
            settings_dir: config.plugins_dir(),
            env: Sources::process_env(),
            data_dir: config.storage.data_dir.clone(),
            recordings_dir: config.storage.recordings_dir(),
            credentials_dir: std::env::var_os("CREDENTIALS_DIRECTORY").map(Into::into),
        };
        if let Some(choice) = speech::model::chosen(&config.transcription, &config.storage.models_dir()) {
            // Before it is loaded it is already what recordings are left to.
            status.update(|it| it.model = ModelState::Loading { name: choice.name });
        }
        let (desk, requests) = speech::desk();
        let live = Arc::new(Live::default());
        let plugins = Plugins::start(PLUGINS, site, desk.clone(), &log, &bus, runtime.handle())
            .context("cannot start the plugins")?;
        let keys = Keys::new(log.clone(), std::env::var("API_KEY").ok().filter(|it| !it.is_empty()));
        let (recordings, commands) =
            Recordings::open(log.clone(), &config.storage.recordings_dir(), config.audio.labels.clone(), {
                // Without a model the plugin could only fail.
                let (roster, status) = (plugins.roster(), status.clone());
                let has_model = move || status.facts().model != ModelState::None;
                Box::new(move || has_model() && roster.expects(recordings::WRITER))
            })
            .context("cannot open the recordings")?;
        let following = runtime
            .block_on(recordings.follow(&bus))
            .context("cannot follow what becomes of the recordings")?;

        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(config.server.listen))
            .with_context(|| format!("cannot listen on {}: is another server there? Choose an address with --listen or server.listen", config.server.listen))?;
        let address = listener.local_addr().context("cannot read the address listened on")?;

        let upkeep = Upkeep::start(&config, &log, &bus).context("cannot start the upkeep of the log")?;
        let pipeline = Pipeline::start(&config, &recordings, commands, requests, &live, &log, &status)?;
        let config = Arc::new(config);
        let models = Models::new(config.clone(), desk.clone(), log.clone());
        let app = http::App {
            recordings: recordings.clone(),
            log: log.clone(),
            bus: bus.clone(),
            plugins: plugins.clone(),
            keys,
            status: status.clone(),
            live,
            desk,
            models,
            config,
            access,
            started: Instant::now(),
        };
        let signalled = runtime.block_on(async { watch_signals() })?;
        let (stop_http, stopped) = oneshot::channel();
        let until = async move {
            // A dropped sender says the same as a message.
            stopped.await.ok();
        };
        let http = Some(runtime.spawn(http::serve(listener, app, until)));
        let daemon = Self {
            address,
            status,
            recordings,
            log,
            pipeline,
            upkeep,
            bus,
            _following: following,
            plugins,
            http,
            stop_http,
            signalled,
            runtime,
            _lock: lock,
        };
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let started = payloads::SystemStarted { version, address: address.to_string() };
        tell(&daemon.log, names::SYSTEM_STARTED, &started);
        drop(opening);
        daemon.wait_for_capture(Duration::from_secs(2));
        tracing::info!(%address, "Listening.");
        Ok(daemon)
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The gauges.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The recordings.
    pub fn recordings(&self) -> &Recordings {
        &self.recordings
    }

    /// The plugins.
    pub fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// The log.
    pub fn log(&self) -> &EventLog {
        &self.log
    }

    /// Whether SIGTERM or SIGINT has come.
    pub fn signalled(&self) -> bool {
        *self.signalled.borrow()
    }

    /// Runs a future on the service's runtime.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Tells systemd that the service is ready, keeps its watchdog fed and its status line true, until
    /// SIGTERM or SIGINT comes or the HTTP server ends.
    pub fn run_until_signal(&mut self) -> anyhow::Result<()> {
        systemd::notify_ready(&self.status_line());
        let mut http = self.http.take().context("the HTTP server has ended")?;
        let mut watchdog = Watchdog::new(&self.status);
        let period = systemd::watchdog_interval().map_or(Duration::from_secs(2), |it| it / 3);
        let (runtime, log) = (self.runtime.handle().clone(), self.log.clone());
        runtime.block_on(async {
            let mut signalled = self.signalled.clone();
            let mut tick = tokio::time::interval(period);
            let mut told = String::new();
            loop {
                tokio::select! {
                    // The sender lives as long as the runtime.
                    _ = signalled.wait_for(|it| *it) => return Ok(()),
                    // LMDB has to be opened anew, which systemd does for us.
                    () = log.closed() => bail!("the event log is out of use: its disk did not take a write"),
                    ended = &mut http => match ended {
                        Ok(Ok(())) => bail!("the HTTP server has ended"),
                        Ok(Err(error)) => return Err(error).context("the HTTP server has failed"),
                        Err(error) => return Err(error).context("the HTTP server has panicked"),
                    },
                    _ = tick.tick() => {
                        if watchdog.alive() {
                            systemd::notify_watchdog();
                        }
                        let line = self.status_line();
                        if line != told {
                            systemd::notify_status(&line);
                            told = line;
                        }
                    }
                }
            }
        })
    }

    /// Stops everything in order: the running recording is closed and written down after the next start.
    pub fn stop(self) {
        let began = Instant::now();
        systemd::notify_stopping("stopping");
        tracing::info!("Stopping.");
        let recordings = self.recordings.clone();
        match self
            .runtime
            .block_on(async { tokio::time::timeout(STOP_WITHIN, recordings.close_active()).await })
        {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(
                    error = format!("{:#}", anyhow!(error)),
                    "Cannot close the recording; it is closed at the next start."
                );
            }
            Err(_) => {
                tracing::error!("Closing the recording takes too long; it is closed at the next start.");
            }
        }
        // The server may be gone already.
        self.stop_http.send(()).ok();
        self.pipeline.stop(STOP_WITHIN.saturating_sub(began.elapsed()));
        let left = STOP_WITHIN.saturating_sub(began.elapsed());
        self.runtime.block_on(self.plugins.stop(left / 2));
        self.upkeep.stop();
        // What runs then is delivered again after the next start.
        let left = STOP_WITHIN.saturating_sub(began.elapsed());
        self.runtime.block_on(async { tokio::time::timeout(left, self.bus.stop()).await.ok() });
        tell(&self.log, names::SYSTEM_STOPPED, &payloads::Nothing {});
        self.runtime
            .shutdown_timeout(STOP_WITHIN.saturating_sub(began.elapsed()).max(Duration::from_millis(500)));
    }

    fn wait_for_capture(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while self.status.facts().capture == CaptureState::Starting && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn status_line(&self) -> String {
        let facts = self.status.facts();
        let capture = match facts.capture {
            CaptureState::Starting => "opening the microphone".into(),
            CaptureState::Running { device, format } => format!("{device} ({format})"),
            CaptureState::Lost { reason } => format!("no microphone: {reason}"),
            CaptureState::Ended => "audio source played to its end".into(),
        };
        let model = match facts.model {
            ModelState::None => "no model".into(),
            ModelState::Loading { name } => format!("loading {name}"),
            ModelState::Ready { name, .. } => name,
            ModelState::Failed { reason } => format!("model unusable: {reason}"),
        };
        let doing = match self.recordings.active() {
            Ok(Some(recording)) => format!("{} `{}`", recording.state, recording.title),
            Ok(None) => "ready".into(),
            Err(error) => error.to_string(),
        };
        format!("{doing}; {capture}; {model}; {}", self.address)
    }
}

/// From here on SIGTERM and SIGINT end nothing by themselves.
fn watch_signals() -> anyhow::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        sender.send_replace(true);
        std::future::pending::<()>().await;
    });
    Ok(receiver)
}

/// Feeds systemd's watchdog only while the pipeline makes progress.
struct Watchdog<'a> {
    status: &'a Status,
    seen: [u64; 3],
}

impl<'a> Watchdog<'a> {
    fn new(status: &'a Status) -> Self {
        Self { status, seen: [0; 3] }
    }

    /// Whether the readers have woken since the last call, and frames have come where they should.
    fn alive(&mut self) -> bool {
        let now = [&self.status.record_ticks, &self.status.listen_ticks, &self.status.capture_ticks]
            .map(|it| it.load(Ordering::Relaxed));
        let moved = [0, 1, 2].map(|it| now[it] != self.seen[it]);
        self.seen = now;
        // A microphone that is gone is looked for, and a file has an end: restarting would not help.
        let capture = moved[2] || !matches!(self.status.facts().capture, CaptureState::Running { .. });
        moved[0] && moved[1] && capture
    }
}

fn tell<P: payloads::Payload>(log: &EventLog, event: EventType<P>, payload: &P) {
    let event = NewEvent::of(event, payload).from_source("core");
    if let Err(error) = log.append_blocking(Batch { events: vec![event], ..Batch::default() }) {
        tracing::error!(error = format!("{:#}", anyhow!(error)), "An event was lost.");
    }
}
