//! `/events/filter`: filters with a name, for lists, streams and replays. Owns their HTTP form and how they
//! are stored; what a filter means is in the SDK.

use axum::{
    extract,
    http::{HeaderName, StatusCode, header},
};
use jiff::Timestamp;
use panotti_sdk::{
    Filter, Priority,
    filter::{Condition, Topic},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    super::{
        State, cursor,
        error::{Problem, ProblemDocument},
        input::{Json, Place, Query},
        recordings::{Page, limit},
    },
    check,
};
use crate::event_log::{Batch, EventLog, Put, Table};

/// Most named filters.
const MOST: usize = 1000;

/// A filter with a name: the events that pass everything that is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct NamedFilter {
    /// 1 to 64 of `a-z`, `0-9`, `_` and `-`. Where the path has the name, it may be left out.
    #[schema(example = "failures")]
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Patterns of event names, of which one must fit; `*` stands for one word, `**` for the rest.
    #[schema(value_type = Vec<String>, example = json!(["*.error", "recording.**"]), max_items = 64)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    topics: Vec<Topic>,
    /// The meeting.
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<Uuid>,
    /// Accepted at this time or later.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Timestamp>,
    /// Accepted before this time.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Timestamp>,
    /// At least this urgent: `low`, `normal`, `high` or `critical`.
    #[schema(value_type = Option<String>, example = "high")]
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
    /// Published by this plugin or part.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// A condition on the event's fields.
    #[schema(value_type = Option<String>, example = "payload.duration_ms > 60000")]
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
}

/// Some filters, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct FilterList {
    /// The filters.
    items: Vec<NamedFilter>,
    /// Asks for the ones after these; `null` at the end.
    next_cursor: Option<String>,
}

impl NamedFilter {
    fn new(name: String, filter: Filter) -> Self {
        let Filter { topics, correlation_id, from, to, priority, source, condition, also: _ } = filter;
        Self { name: Some(name), topics, correlation_id, from, to, priority, source, condition }
    }

    fn split(self) -> (Option<String>, Filter) {
        let Self { name, topics, correlation_id, from, to, priority, source, condition } = self;
        (name, Filter { topics, correlation_id, from, to, priority, source, condition, also: None })
    }
}

/// The filter called `name`, which a request wants to use.
pub(super) fn wanted(log: &EventLog, name: &str) -> Result<Filter, Problem> {
    find(log, name)?.ok_or_else(|| {
        Problem::unprocessable(format!("there is no filter `{name}`: `GET /events/filter` lists all"))
    })
}

fn find(log: &EventLog, name: &str) -> Result<Option<Filter>, Problem> {
    if !is_name(name) {
        return Ok(None);
    }
    log.get(Table::Filters, name)?.map(|row| parse(&row)).transpose()
}

fn parse(row: &[u8]) -> Result<Filter, Problem> {
    serde_json::from_slice(row).map_err(Problem::internal)
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

fn check_name(name: &str) -> Result<(), Problem> {
    if is_name(name) {
        return Ok(());
    }
    Err(Problem::unprocessable("`name` is no name for a filter: use 1 to 64 of a-z, 0-9, _ and -"))
}

fn unknown(name: &str) -> Problem {
    Problem::not_found(format!("there is no filter `{name}`"))
}

/// Stores a filter, or removes it. The caller holds the lock.
async fn put(log: &EventLog, name: &str, filter: Option<&Filter>) -> Result<(), Problem> {
    let value = filter.map(serde_json::to_vec).transpose().map_err(Problem::internal)?;
    let put = Put { table: Table::Filters, key: name.to_owned(), value };
    log.append(Batch { puts: vec![put], ..Batch::default() }).await?;
    Ok(())
}

/// Refuses one filter more than there may be.
fn check_room(log: &EventLog) -> Result<(), Problem> {
    if log.rows(Table::Filters, None, MOST)?.len() < MOST {
        return Ok(());
    }
    Err(Problem::new(StatusCode::CONFLICT, format!("there are {MOST} filters: delete one first")))
}

/// Makes a named filter.
///
/// The same again changes nothing; another with the same name is refused: `PUT` replaces it.
#[utoipa::path(post, path = "/events/filter", operation_id = "create_event_filter", tag = "events", request_body = NamedFilter, responses(
    (status = 200, description = "There was the same already.", body = NamedFilter),
    (status = 201, description = "It can be used.", body = NamedFilter, headers(("Location" = String, description = "Path of the filter"))),
    (status = 409, description = "Another has this name, or there are 1,000 already.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "The filter is not acceptable; `detail` says at which byte a topic or condition goes wrong.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 503, description = "The log is too busy.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 507, description = "The disk is full.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn create(
    extract::State(shared): State,
    Json(new): Json<NamedFilter>,
) -> Result<(StatusCode, [(HeaderName, String); 1], axum::Json<NamedFilter>), Problem> {
    let (name, filter) = new.split();
    let name = name.ok_or_else(|| Problem::unprocessable("`name` in the body is missing"))?;
    check_name(&name)?;
    let log = &shared.app.log;
    check(&shared, &filter)?;
    let _lock = shared.filters.lock().await;
    let status = match find(log, &name)? {
        Some(found) if found == filter => StatusCode::OK,
        Some(_) => {
            let detail =
                format!("another filter is called `{name}`: choose another name, or replace it with PUT");
            return Err(Problem::new(StatusCode::CONFLICT, detail));
        }
        None => {
            check_room(log)?;
            put(log, &name, Some(&filter)).await?;
            StatusCode::CREATED
        }
    };
    let location = format!("/events/filter/{name}");
    Ok((status, [(header::LOCATION, location)], axum::Json(NamedFilter::new(name, filter))))
}

/// Lists named filters, by name.
#[utoipa::path(get, path = "/events/filter", operation_id = "list_event_filters", tag = "events", params(Page), responses(
    (status = 200, description = "Some filters.", body = FilterList),
    (status = 422, description = "`limit` or `cursor` is not acceptable.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn list(
    extract::State(shared): State,
    Query(page): Query<Page>,
) -> Result<axum::Json<FilterList>, Problem> {
    let limit = limit(page.limit)?;
    let after = page.cursor.map(|cursor| cursor::decode("event-filters", &cursor)).transpose()?;
    let mut rows = shared.app.log.rows(Table::Filters, after.as_deref(), limit + 1)?;
    // One more than asked for tells whether there are more.
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(|(name, _)| cursor::encode("event-filters", name));
    let items = rows.into_iter().map(|(name, row)| Ok(NamedFilter::new(name, parse(&row)?)));
    Ok(axum::Json(FilterList { items: items.collect::<Result<_, Problem>>()?, next_cursor }))
}

/// One named filter.
#[utoipa::path(get, path = "/events/filter/{name}", operation_id = "get_event_filter", tag = "events",
    params(("name" = String, Path, description = "The filter's name")), responses(
    (status = 200, description = "The filter.", body = NamedFilter),
    (status = 404, description = "There is none.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn get(
    extract::State(shared): State,
    Place(name): Place<String>,
) -> Result<axum::Json<NamedFilter>, Problem> {
    let filter = find(&shared.app.log, &name)?.ok_or_else(|| unknown(&name))?;
    Ok(axum::Json(NamedFilter::new(name, filter)))
}

/// Makes or replaces a named filter. Whoever uses it by its name gets the new one from the next request on.
#[utoipa::path(put, path = "/events/filter/{name}", operation_id = "replace_event_filter", tag = "events", request_body = NamedFilter,
    params(("name" = String, Path, description = "The filter's name")), responses(
    (status = 200, description = "It was replaced.", body = NamedFilter),
    (status = 201, description = "It was made.", body = NamedFilter),
    (status = 409, description = "There are 1,000 already.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "The filter or its name is not acceptable.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 503, description = "The log is too busy.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 507, description = "The disk is full.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn replace(
    extract::State(shared): State,
    Place(name): Place<String>,
    Json(new): Json<NamedFilter>,
) -> Result<(StatusCode, axum::Json<NamedFilter>), Problem> {
    check_name(&name)?;
    let (inside, filter) = new.split();
    if inside.is_some_and(|inside| inside != name) {
        return Err(Problem::unprocessable("`name` in the body is not the one in the path: leave it out"));
    }
    let log = &shared.app.log;
    check(&shared, &filter)?;
    let _lock = shared.filters.lock().await;
    let status = if find(log, &name)?.is_some() {
        StatusCode::OK
    } else {
        check_room(log)?;
        StatusCode::CREATED
    };
    put(log, &name, Some(&filter)).await?;
    Ok((status, axum::Json(NamedFilter::new(name, filter))))
}

/// Removes a named filter. Streams that use it go on.
#[utoipa::path(delete, path = "/events/filter/{name}", operation_id = "delete_event_filter", tag = "events",
    params(("name" = String, Path, description = "The filter's name")), responses(
    (status = 204, description = "It is gone."),
    (status = 404, description = "There is none.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 503, description = "The log is too busy.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn delete(
    extract::State(shared): State,
    Place(name): Place<String>,
) -> Result<StatusCode, Problem> {
    let log = &shared.app.log;
    let _lock = shared.filters.lock().await;
    // One whose row is damaged can be removed too.
    if !is_name(&name) || log.get(Table::Filters, &name)?.is_none() {
        return Err(unknown(&name));
    }
    put(log, &name, None).await?;
    Ok(StatusCode::NO_CONTENT)
}
