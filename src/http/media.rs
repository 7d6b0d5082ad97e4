//! Links that a player can use. Owns tokens for the audio of one recording, which stand in for the key
//! where no header can be sent (`<audio src>`); a key itself never stands in an address.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::{self, Request},
    http::StatusCode,
    middleware::{self, Next},
    response::Response,
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use super::{
    Shared, State, auth, docs,
    error::{Problem, ProblemDocument},
    input::RecordingId,
};
use crate::security::Role;

/// A link dies this long after its last use.
const IDLE: Duration = Duration::from_secs(15 * 60);

/// Most links at a time; the one unused longest gives way.
const MAX_LINKS: usize = 1024;

/// The links given out; they do not outlive the process.
#[derive(Debug, Default)]
pub(super) struct Links {
    by_token: Mutex<HashMap<String, Link>>,
}

#[derive(Debug)]
struct Link {
    recording_id: String,
    used: Instant,
}

impl Links {
    /// A new token for the audio of one recording: 122 random bits.
    fn create(&self, recording_id: String, now: Instant) -> String {
        let mut links = self.by_token.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|_, link| now.duration_since(link.used) < IDLE);
        if links.len() >= MAX_LINKS
            && let Some(oldest) =
                links.iter().min_by_key(|(_, link)| link.used).map(|(token, _)| token.clone())
        {
            links.remove(&oldest);
        }
        let token = Uuid::new_v4().simple().to_string();
        links.insert(token.clone(), Link { recording_id, used: now });
        token
    }

    /// Whether `token` opens `path`. Its time begins anew.
    fn opens(&self, token: &str, path: &str, now: Instant) -> bool {
        let mut links = self.by_token.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(link) = links.get_mut(token) else { return false };
        let opens = now.duration_since(link.used) < IDLE && path == audio_path(&link.recording_id);
        if opens {
            link.used = now;
        }
        opens
    }
}

fn audio_path(recording_id: &str) -> String {
    format!("/recordings/{recording_id}/audio")
}

/// An address for a player.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AudioLink {
    /// Path and query of the audio; needs no key.
    #[schema(example = "/recordings/20250117225532_4AFEA8B6/audio?token=8d4f…")]
    url: String,
    /// It ends this many seconds after its last use.
    #[schema(example = 900)]
    idle_seconds: u64,
}

/// Makes a link to the audio of one recording that needs no key, for `<audio src>`.
///
/// It opens nothing else, ends 15 minutes after its last use and does not outlive the process.
#[utoipa::path(post, path = "/recordings/{id}/audio-link", operation_id = "create_audio_link", tag = "recordings",
    params(("id" = String, Path, description = "The recording's id")), responses(
    (status = 201, description = "The link.", body = AudioLink),
    (status = 404, description = "There is no such recording.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn create(
    extract::State(shared): State,
    RecordingId(id): RecordingId,
) -> Result<(StatusCode, Json<AudioLink>), Problem> {
    let recording = shared.app.recordings.get(&id)?;
    let path = audio_path(&recording.id);
    let token = shared.media.create(recording.id, Instant::now());
    let link = AudioLink { url: format!("{path}?token={token}"), idle_seconds: IDLE.as_secs() };
    Ok((StatusCode::CREATED, Json(link)))
}

/// Lets only viewers and holders of a link use `routes`.
pub(super) fn allow(
    mut routes: OpenApiRouter<Arc<Shared>>,
    shared: &Arc<Shared>,
) -> OpenApiRouter<Arc<Shared>> {
    docs::secure(routes.get_openapi_mut(), Role::Viewer);
    routes.route_layer(middleware::from_fn_with_state(shared.clone(), check))
}

async fn check(extract::State(shared): State, request: Request, next: Next) -> Result<Response, Problem> {
    let uri = request.uri();
    let token = uri.query().into_iter().flat_map(|it| it.split('&')).find_map(|it| it.strip_prefix("token="));
    let by_link = token.is_some_and(|token| shared.media.opens(token, uri.path(), Instant::now()));
    if !by_link {
        auth::authorize(&shared, &request, Role::Viewer)?;
    }
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_opens_its_own_audio_until_it_was_idle_too_long() {
        let links = Links::default();
        let start = Instant::now();
        let token = links.create("a".into(), start);
        let path = "/recordings/a/audio";
        assert!(links.opens(&token, path, start));
        assert!(!links.opens(&token, "/recordings/b/audio", start));
        assert!(!links.opens("", path, start));
        assert!(links.opens(&token, path, start + IDLE * 3 / 4));
        assert!(links.opens(&token, path, start + IDLE * 3 / 2), "used in between");
        assert!(!links.opens(&token, path, start + IDLE * 3));
    }

    #[test]
    fn links_are_bounded() {
        let links = Links::default();
        let start = Instant::now();
        let first = links.create("a".into(), start);
        for it in 1..=MAX_LINKS as u64 {
            links.create("a".into(), start + Duration::from_micros(it));
        }
        assert_eq!(links.by_token.lock().unwrap_or_else(PoisonError::into_inner).len(), MAX_LINKS);
        assert!(!links.opens(&first, "/recordings/a/audio", start + Duration::from_secs(1)));
    }
}
