//! Speech to text over the Wyoming protocol. Owns the plugin, its settings and its life; serving clients is
//! in `server`, what they say in `session`.

mod audio;
mod info;
mod network;
mod protocol;
mod refused;
mod server;
mod session;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use panotti_sdk::{
    Configured, Context, Delivery, Descriptor, HandlerError, Health, Outbox, Permissions, Plugin,
    PluginError, Request, Response, Route, Service, async_trait,
    schemars::{self, JsonSchema},
    serde_json::json,
};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    audio::Storage,
    network::Allowed,
    server::{Limits, Server},
};

/// What the host knows of this plugin.
pub const DESCRIPTOR: Descriptor = Descriptor {
    description: "Speech to text for Home Assistant and others that speak the Wyoming protocol.",
    permissions: Permissions { services: &[Service::Transcriber], ..Permissions::NONE },
    routes: &[Route {
        method: "GET",
        path: "/server",
        role: "viewer",
        description: "Where clients are served, and how many there are.",
    }],
    ..Descriptor::of::<Wyoming>("wyoming", env!("CARGO_PKG_VERSION"), include_str!("../plugin.yaml.example"))
};

/// Settings.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port on which clients are served. Wyoming has no passwords: whoever may connect may use
    /// it.
    #[schemars(length(min = 1, max = 100))]
    pub listen: String,
    /// Who may connect: addresses (`192.168.1.20`) and networks (`192.168.1.0/24`, `fd00::/8`). Empty:
    /// private, link-local and loopback addresses, so that nobody from the internet can.
    #[schemars(length(max = 100))]
    pub allow: Vec<String>,
    /// Most clients at the same time.
    #[schemars(range(min = 1, max = 100))]
    pub connections: u16,
    /// Longest audio of one request, s.
    #[schemars(range(min = 1, max = 3600), extend("x-unit" = "s"))]
    pub longest_s: u32,
    /// Most audio of all requests together that is kept on disk until it is written down, MiB.
    #[schemars(range(min = 1, max = 2048), extend("x-unit" = "MiB"))]
    pub most_audio_mib: u32,
    /// How long a client may stay silent, s. It may wait for its answer as long as that takes.
    #[schemars(range(min = 1, max = 3600), extend("x-unit" = "s"))]
    pub idle_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:10300".into(),
            allow: Vec::new(),
            connections: 16,
            longest_s: 300,
            most_audio_mib: 256,
            idle_s: 60,
        }
    }
}

/// Why clients are not served.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("cannot listen on {address}: let `listen` name an address of this box and a port that is free")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("cannot empty {}, where audio waits", folder.display())]
    Folder {
        folder: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// The plugin.
#[derive(Debug)]
pub struct Wyoming {
    listen: SocketAddr,
    limits: Limits,
    context: Context,
    running: OnceLock<(SocketAddr, Arc<Server>)>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Configured for Wyoming {
    type Config = Config;

    fn new(config: Config, context: Context) -> Result<Self, PluginError> {
        let listen = config.listen.trim().parse().map_err(|_| {
            let reason = format!(
                "`{}` is no address with a port: write 0.0.0.0:10300, or [::]:10300 for IPv6 too",
                config.listen
            );
            PluginError::config("listen", reason)
        })?;
        let allowed =
            Allowed::parse(&config.allow).map_err(|it| PluginError::config("allow", it.to_string()))?;
        let limits = Limits {
            allowed,
            connections: usize::from(config.connections),
            longest_s: config.longest_s,
            most_audio_bytes: u64::from(config.most_audio_mib) << 20,
            idle: Duration::from_secs(config.idle_s.into()),
        };
        Ok(Self { listen, limits, context, running: OnceLock::new(), task: Mutex::default() })
    }
}

#[async_trait]
impl Plugin for Wyoming {
    async fn start(&self) -> Result<(), PluginError> {
        let folder = self.context.directory()?.join("requests");
        let storage = Storage::new(folder.clone(), self.limits.most_audio_bytes);
        let emptied = storage.clone();
        let emptied = self.context.blocking(move || emptied.empty()).await?;
        emptied.map_err(|source| PluginError::retryable(StartError::Folder { folder, source }))?;

        let address = self.listen;
        let refused = |source| PluginError::retryable(StartError::Listen { address, source });
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let server = Arc::new(Server::new(self.limits.clone(), storage, self.context.clone()));
        self.running.get_or_init(|| (address, server.clone()));
        let task = tokio::spawn(server.serve(listener));
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        tracing::info!(%address, "Wyoming clients are served.");
        Ok(())
    }

    async fn handle(&self, _: &Delivery) -> Result<Outbox, HandlerError> {
        Ok(Outbox::new())
    }

    async fn health(&self) -> Health {
        match self.context.speech_model() {
            Some(_) => Health::Healthy,
            None => Health::Degraded(
                "nothing can be written down: no model is in use. Set transcription.model, or wait until it is read"
                    .into(),
            ),
        }
    }

    async fn call(&self, request: Request) -> Response {
        match (request.method.as_str(), &request.segments()[..], self.running.get()) {
            ("GET", ["server"], Some((address, server))) => Response::json(&json!({
                "address": address,
                "clients": server.clients(),
                "connections": self.limits.connections,
                "answered": server.answered(),
                "refused": server.refused(),
                "model": self.context.speech_model().map(|it| it.name),
            })),
            _ => Response::not_found(&format!("there is nothing at {}: ask for /server", request.path)),
        }
    }

    async fn stop(&self) {
        // The server ends by itself, since the host has said that it is to; its port is free after this.
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "Serving Wyoming clients had ended already.");
        }
    }
}
