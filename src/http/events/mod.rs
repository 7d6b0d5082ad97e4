//! `/events`: what happened, what happens, and having it happen again. Owns the forms that all its routes
//! share and which events a request asks for; each part of the resource has a file of its own.

pub(super) mod dead_letters;
pub(super) mod filters;
pub(super) mod follow;
pub(super) mod list;
pub(super) mod publish;
pub(super) mod replay;
pub(super) mod schemas;
pub(super) mod status;
pub(super) mod stream;

use panotti_sdk::Filter;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Shared, error::Problem};

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventDocument {
    /// Place in the log, from 1.
    seq: u64,
    /// UUIDv7.
    id: Uuid,
    /// `domain.happening`.
    #[schema(example = "recording.ended")]
    name: String,
    /// What happened; its form follows from the name, see `GET /events/schemas`.
    #[schema(value_type = Object)]
    payload: Value,
    /// Where it belongs.
    context: EventContextDocument,
    /// `low`, `normal`, `high` or `critical`.
    #[schema(example = "normal")]
    priority: String,
}

/// Where an event belongs and where it came from.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventContextDocument {
    /// The same for everything that follows from one meeting.
    correlation_id: Uuid,
    /// The event that led to this one.
    causation_id: Option<Uuid>,
    /// When it was accepted, UTC.
    #[schema(value_type = String, format = DateTime)]
    timestamp: String,
    /// Who published it.
    source_plugin: Option<String>,
    /// Anything else.
    #[schema(value_type = Object)]
    metadata: Value,
}

/// Longest name of a source, bytes.
const MAX_SOURCE: usize = 256;

/// The filters that events must pass, all of them: what the request says itself, and the named filter that
/// it names.
fn selection(shared: &Shared, named: Option<&str>, own: Filter) -> Result<Vec<Filter>, Problem> {
    check(shared, &own)?;
    let named = named.map(|name| filters::wanted(&shared.app.log, name)).transpose()?;
    Ok([Some(own), named].into_iter().flatten().collect())
}

/// Refuses a filter that nothing can pass, or that nobody can have meant.
fn check(shared: &Shared, filter: &Filter) -> Result<(), Problem> {
    filter.validate().map_err(|error| Problem::unprocessable(error.to_string()))?;
    if filter.source.as_ref().is_some_and(|source| source.len() > MAX_SOURCE) {
        return Err(Problem::unprocessable(format!("`source` has more than {MAX_SOURCE} bytes")));
    }
    for topic in &filter.topics {
        let Some(help) = shared.app.log.schemas().topic_help(topic) else { continue };
        // Names of their own that clients have published are as good as ours.
        if shared.app.log.read(0, 1, &Filter::topic(topic.clone()))?.is_empty() {
            return Err(Problem::unprocessable(help));
        }
    }
    Ok(())
}
