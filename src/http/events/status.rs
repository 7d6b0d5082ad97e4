//! `/events/status`: how the log and the bus do. Owns the HTTP form; the figures are the log's and the
//! bus's.

use axum::{Json, extract};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::{State, error::Problem, recordings::blocking};
use crate::{
    bus::{ReplayState, SubscriptionStatus},
    config::{self, Durability},
    event_log::{LogStats, backup::Backups},
};

/// How the log and the bus do.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct EventStatus {
    /// The log.
    log: LogDocument,
    /// When old events are removed.
    retention: Retention,
    /// Every subscription, running or not, by name.
    #[schema(value_type = Vec<SubscriptionDocument>)]
    subscriptions: Vec<SubscriptionStatus>,
    /// Events that a subscription could not handle.
    dead_letters: DeadLetterSummary,
    /// Replays that run.
    replays_running: usize,
    /// Event streams that are open.
    streams_open: usize,
    /// When the last copy of the log was made.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_backup: Option<Timestamp>,
}

/// How the log does.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct LogDocument {
    /// `seq` of the oldest event that is kept.
    first_seq: u64,
    /// `seq` of the newest event.
    last_seq: u64,
    /// Events accepted in the last minute, per second.
    events_per_second: f64,
    /// Events accepted since the process started.
    events: u64,
    /// Commits since the process started.
    commits: u64,
    /// Publications that wait to be written.
    queue_depth: usize,
    /// Publications that may wait; publishers wait beyond that.
    queue_limit: usize,
    /// When the last commit was on disk.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_commit: Option<Timestamp>,
    /// How long it took, ms.
    last_commit_ms: Option<f64>,
    /// Bytes of the file that hold something.
    bytes_used: u64,
    /// Length of the file, bytes.
    bytes_file: u64,
    /// `every_commit`: what is acknowledged survives a power cut. `last_commit_at_risk`: it may undo the
    /// last commit.
    #[schema(value_type = String, example = "every_commit")]
    durability: Durability,
    /// Largest payload of an event as JSON, bytes.
    payload_limit_bytes: usize,
}

/// When old events are removed.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct Retention {
    /// Events older than this are removed, days.
    days: u32,
    /// The oldest are removed when the log is larger, bytes; those that a subscription has not seen stay.
    bytes: u64,
    /// The oldest are removed when the log is larger, bytes, whoever has not seen them.
    hard_limit_bytes: u64,
}

/// How one subscription does.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct SubscriptionDocument {
    /// Its name.
    name: String,
    /// Whether somebody handles its events now.
    running: bool,
    /// Every event up to this `seq` is done with.
    cursor: u64,
    /// Events of the log behind the newest, wanted or not.
    lag: u64,
    /// Deliveries that are running.
    running_tasks: usize,
    /// Wanted events that were read and wait.
    waiting: usize,
    /// When the event at the head of the queue was accepted, if one waits.
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest_waiting: Option<String>,
    /// Deliveries that went well since the process started.
    handled: u64,
    /// Attempts that failed since the process started.
    failed_attempts: u64,
    /// Its dead letters.
    dead_letters: u64,
    /// Events that retention removed before they were handled.
    missed: u64,
}

/// Events that a subscription could not handle.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct DeadLetterSummary {
    /// How many there are.
    count: u64,
    /// When the oldest was parked.
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest: Option<Timestamp>,
    /// How long ago that was, s.
    oldest_age_s: Option<i64>,
}

impl LogDocument {
    fn new(stats: &LogStats, config: &config::Events) -> Self {
        Self {
            first_seq: stats.first_seq,
            last_seq: stats.last_seq,
            events_per_second: stats.events_per_second,
            events: stats.events,
            commits: stats.commits,
            queue_depth: stats.queue_depth,
            queue_limit: stats.queue_limit,
            last_commit: stats.last_commit,
            last_commit_ms: stats.last_commit_ms,
            bytes_used: stats.bytes_used,
            bytes_file: stats.bytes_file,
            durability: stats.durability,
            payload_limit_bytes: config.payload_limit_kib as usize * 1024,
        }
    }
}

/// How the log and the bus do: rates, queues, lag, dead letters, size and limits.
#[utoipa::path(get, path = "/events/status", operation_id = "get_event_status", tag = "events", responses(
    (status = 200, description = "How they do.", body = EventStatus),
))]
pub(in super::super) async fn get(extract::State(shared): State) -> Result<Json<EventStatus>, Problem> {
    blocking(move || {
        let (log, bus, config) = (&shared.app.log, &shared.app.bus, &shared.app.config.events);
        let (count, oldest) = bus.dead_letter_count();
        let newest = Backups::new(shared.app.config.backup_dir()).newest_whole(None);
        let running = bus.replays()?.iter().filter(|it| it.state == ReplayState::Running).count();
        Ok::<_, Problem>(Json(EventStatus {
            log: LogDocument::new(&log.stats()?, config),
            retention: Retention {
                days: config.retention_days,
                bytes: config.retention_mib << 20,
                hard_limit_bytes: config.hard_limit_mib << 20,
            },
            subscriptions: bus.subscriptions()?,
            dead_letters: DeadLetterSummary {
                count,
                oldest,
                oldest_age_s: oldest.map(|at| (Timestamp::now().as_second() - at.as_second()).max(0)),
            },
            replays_running: running,
            streams_open: super::super::MAX_STREAMS - shared.streams.available_permits(),
            last_backup: newest.and_then(|it| it.manifest.ok()).map(|it| it.created_at),
        }))
    })
    .await
}
