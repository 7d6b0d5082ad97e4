//! OpenAI's API for transcription below `/v1`, for its clients as they are. Owns its forms, who may use it
//! and its refusals; leaves writing down to `speech`, where its requests stand between captions, which go
//! first, and the transcripts of recordings.
//!
//! What is said of a request stands in [`transcriptions`]; it goes through `form` (what was sent), `asked`
//! (what that means) and `answer` or `stream` (what is told).

mod answer;
mod asked;
mod error;
mod form;
pub(super) mod models;
mod stream;
pub(super) mod transcriptions;
mod upload;

use std::sync::Arc;

use axum::{
    extract::{self, DefaultBodyLimit, Request},
    http::Method,
    middleware::{self, Next},
    response::Response,
};
use utoipa_axum::router::OpenApiRouter;

use super::{
    Shared, State,
    auth::{self, Denied},
    docs,
    input::drain,
};
use crate::security::Role;

pub(super) use error::{is_below, told};
pub(super) use upload::clear;

/// Lets only keys use `routes`, with OpenAI's refusals, before anything of a body is kept. Seeing
/// which models there are takes a viewer; having audio written down an operator: it changes nothing, but
/// takes room on the disk and time from the transcripts of meetings.
pub(super) fn allow(
    mut routes: OpenApiRouter<Arc<Shared>>,
    shared: &Arc<Shared>,
) -> OpenApiRouter<Arc<Shared>> {
    docs::require_key(routes.get_openapi_mut());
    routes
        .route_layer(middleware::from_fn_with_state(shared.clone(), check))
        // Files have a limit of their own, `server.upload_limit_mib`.
        .layer(DefaultBodyLimit::disable())
}

async fn check(
    extract::State(shared): State,
    request: Request,
    next: Next,
) -> Result<Response, error::Refusal> {
    let role = if request.method() == Method::POST { Role::Operator } else { Role::Viewer };
    match auth::authorize(&shared, &request, role) {
        Ok(_) => Ok(next.run(request).await),
        Err(denied) => {
            // Hung up on in the middle of a file, a client would not learn that its key is wrong.
            if !matches!(denied, Denied::Throttled { .. }) {
                drain(request).await;
            }
            Err(denied.into())
        }
    }
}
