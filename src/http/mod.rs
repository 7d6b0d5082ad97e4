//! The API and the page. Owns routes, who may use them, and what is said over HTTP; leaves recordings to
//! `recordings`, history to `event_log` and keys to `security`.
//!
//! Every route stands in exactly one group, and the group decides who gets in: `public` (no key), `viewer`,
//! `operator`, `admin`, `media`, and `original` and `openai`, whose refusals look as theirs do. The group also
//! writes its part of the OpenAPI document, so that neither can be forgotten.

#![allow(unused_qualifications, reason = "utoipa repeats the types of arguments with their path")]

mod audio;
mod auth;
mod connections;
mod cursor;
mod docs;
mod error;
mod events;
mod guard;
mod health;
mod input;
mod live;
mod media;
mod models;
mod notes;
mod openai;
mod original;
mod page;
mod plugins;
mod range;
mod recordings;
mod system;
#[cfg(test)]
mod tests;
mod throttle;
mod transcript;

use std::{
    future::Future,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, middleware};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    bus::Bus,
    config::Config,
    event_log::EventLog,
    live::Live,
    models::Models,
    plugins::Plugins,
    recordings::Recordings,
    security::{Keys, Role},
    speech::Desk,
    status::Status,
};

/// How long requests that run at the end may take to finish.
const GRACE: Duration = Duration::from_secs(3);

/// Most event streams open at the same time.
const MAX_STREAMS: usize = 64;

/// Most files that are taken in or wait to be written down at the same time.
const MAX_TRANSCRIPTIONS: usize = 16;

/// Everything the routes work with.
#[derive(Debug, Clone)]
pub struct App {
    /// All recordings.
    pub recordings: Recordings,
    /// The event log.
    pub log: EventLog,
    /// The bus.
    pub bus: Bus,
    /// The plugins.
    pub plugins: Plugins,
    /// Who may do what.
    pub keys: Keys,
    /// Counters and gauges.
    pub status: Arc<Status>,
    /// Captions that still change.
    pub live: Arc<Live>,
    /// Where audio is handed in to be written down.
    pub desk: Desk,
    /// The models.
    pub models: Models,
    /// The configuration.
    pub config: Arc<Config>,
    /// Whether keys are asked for.
    pub access: Access,
    /// When the process started.
    pub started: Instant,
}

/// Whether keys are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Every request but the public ones needs a key.
    Keys,
    /// Everyone on this machine may do everything. Served on loopback addresses only, and only to
    /// requests that name a loopback host and come from no other site.
    OpenOnLoopback,
}

/// What all handlers share.
#[derive(Debug)]
struct Shared {
    app: App,
    media: media::Links,
    throttle: throttle::Throttle,
    streams: Arc<Semaphore>,
    transcriptions: Arc<Semaphore>,
    viewers: live::Places,
    board: live::Board,
    /// Held while named filters change.
    filters: tokio::sync::Mutex<()>,
    closing: CancellationToken,
    /// What has to end before the service has.
    tasks: TaskTracker,
}

type State = axum::extract::State<Arc<Shared>>;

/// All routes.
pub fn router(app: App) -> Router {
    build(app, CancellationToken::new(), TaskTracker::new())
}

/// Serves `app` on `listener` until `shutdown` is ready. Event streams and WebSockets then end at once; other requests
/// get three seconds.
///
/// # Errors
/// [`Access::OpenOnLoopback`] on an address that others can reach, and an unusable listener.
pub async fn serve(
    listener: TcpListener,
    app: App,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    if app.access == Access::OpenOnLoopback && !address.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("without keys only a loopback address is served, not {address}: listen on 127.0.0.1"),
        ));
    }
    openai::clear(app.config.storage.uploads_dir()).await;
    let closing = CancellationToken::new();
    let tasks = TaskTracker::new();
    let router = build(app, closing.clone(), tasks.clone());
    tokio::select! {
        () = connections::run(listener, router, connections::TIMEOUTS, &tasks, &closing) => {}
        () = shutdown => closing.cancel(),
    }
    tasks.close();
    if tokio::time::timeout(GRACE, tasks.wait()).await.is_err() {
        tracing::warn!("Requests were cut off because they did not end in time.");
    }
    Ok(())
}

fn build(app: App, closing: CancellationToken, tasks: TaskTracker) -> Router {
    let shared = Arc::new(Shared {
        app,
        media: media::Links::default(),
        throttle: throttle::Throttle::default(),
        streams: Arc::new(Semaphore::new(MAX_STREAMS)),
        transcriptions: Arc::new(Semaphore::new(MAX_TRANSCRIPTIONS)),
        viewers: live::Places::default(),
        board: live::Board::default(),
        filters: tokio::sync::Mutex::default(),
        closing,
        tasks,
    });
    let (router, api) = routes(&shared).split_for_parts();
    router
        .merge(page::router())
        .merge(docs::router(api))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(middleware::from_fn(guard::guard))
        .with_state(shared)
}

/// Every documented route, in its group.
fn routes(shared: &Arc<Shared>) -> OpenApiRouter<Arc<Shared>> {
    let public = OpenApiRouter::new()
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(system::session));
    let viewer = OpenApiRouter::new()
        .routes(routes!(recordings::list))
        .routes(routes!(recordings::get))
        .routes(routes!(media::create))
        .routes(routes!(transcript::get))
        .routes(routes!(notes::get))
        .routes(routes!(events::list::list))
        .routes(routes!(events::list::get))
        .routes(routes!(events::stream::stream))
        .routes(routes!(events::status::get))
        .routes(routes!(events::schemas::list))
        .routes(routes!(events::schemas::get))
        .routes(routes!(events::filters::list))
        .routes(routes!(events::filters::get))
        .routes(routes!(events::dead_letters::list))
        .routes(routes!(events::replay::list))
        .routes(routes!(events::replay::get))
        .routes(routes!(plugins::list))
        .routes(routes!(plugins::get))
        .routes(routes!(plugins::status))
        .route("/plugins/{id}/{*path}", axum::routing::any(plugins::call))
        .routes(routes!(models::list))
        .routes(routes!(system::system))
        .routes(routes!(live::live));
    let operator = OpenApiRouter::new()
        .routes(routes!(recordings::start))
        .routes(routes!(recordings::update, recordings::delete))
        .routes(routes!(recordings::stop))
        .routes(routes!(recordings::pause))
        .routes(routes!(recordings::resume))
        .routes(routes!(recordings::transcribe))
        .routes(routes!(models::verify))
        .routes(routes!(events::publish::publish))
        .routes(routes!(events::filters::create))
        .routes(routes!(events::filters::replace, events::filters::delete))
        .routes(routes!(events::dead_letters::delete))
        .routes(routes!(events::replay::one))
        .routes(routes!(events::replay::start))
        .routes(routes!(events::replay::stop))
        .routes(routes!(events::replay::stop_all));
    let admin = OpenApiRouter::new()
        .routes(routes!(plugins::enable))
        .routes(routes!(plugins::disable))
        .routes(routes!(plugins::configure))
        .routes(routes!(models::fetch))
        .routes(routes!(models::choose))
        .routes(routes!(models::remove));
    let media = OpenApiRouter::new().routes(routes!(audio::get));
    let original = OpenApiRouter::new()
        .routes(routes!(original::started))
        .routes(routes!(original::ended))
        .routes(routes!(original::health));
    let openai = OpenApiRouter::new()
        .routes(routes!(openai::transcriptions::create))
        .routes(routes!(openai::models::list))
        .routes(routes!(openai::models::get));

    OpenApiRouter::with_openapi(docs::head())
        .merge(public)
        .merge(auth::allow(viewer, shared, Role::Viewer))
        .merge(auth::allow(operator, shared, Role::Operator))
        .merge(auth::allow(admin, shared, Role::Admin))
        .merge(media::allow(media, shared))
        .merge(original::allow(original, shared))
        .merge(openai::allow(openai, shared))
}
