//! What a client sends: a form of parts in any order, of which one is a file. Owns reading it with flat
//! memory, its limits, and that a client gets to read why it is refused; what the fields mean is in `asked`.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, BodyDataStream, Bytes},
    extract::{
        FromRequest as _, Multipart, Request,
        multipart::{Field, MultipartError},
    },
    http::StatusCode,
};
use futures_util::{Stream, StreamExt as _, stream::poll_fn};

use super::{
    super::{
        error::Problem,
        input::{BODY_TIMEOUT, drain, drain_rest},
    },
    error::Refusal,
    upload::{Incoming, Upload},
};
use crate::config::Config;

/// Most bytes of a field that is no file.
const MOST_TEXT: usize = 64 * 1024;

/// Most parts of a form.
const MOST_PARTS: usize = 64;

/// Most bytes that are taken in without a part of the form coming out: headers of a part, or no form.
const MOST_UNREAD: usize = 1 << 20;

/// What was sent.
#[derive(Debug, Default)]
pub(super) struct Form {
    /// The file, which is not empty.
    pub(super) file: Option<Upload>,
    /// All other fields, in their order; lists are named without `[]`.
    fields: Vec<(String, String)>,
}

impl Form {
    /// The last value of a field that is not blank: many clients send what their user left empty.
    pub(super) fn last(&self, name: &str) -> Option<&str> {
        self.all(name).last()
    }

    /// All values of a list that are not blank.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let values = self.fields.iter().filter(move |it| it.0 == name).map(|it| it.1.trim());
        values.filter(|it| !it.is_empty())
    }

    /// Whether there is a field of that name, or of that list or object.
    pub(super) fn has(&self, name: &str) -> bool {
        let is =
            |it: &str| it.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('['));
        self.fields.iter().any(|it| is(&it.0) && !it.1.trim().is_empty())
    }
}

/// Reads the whole form; its file goes to the disk as it comes.
///
/// # Errors
/// 400 when it is no form or holds more than one file, 408 when it does not go on, 413 and 507 when it is
/// too large.
pub(super) async fn read(config: &Config, request: Request) -> Result<Form, Refusal> {
    let limit = config.server.upload_limit_mib << 20;
    let announced = request.headers().get(axum::http::header::CONTENT_LENGTH);
    let announced = announced.and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|it| it > limit.saturating_add((MOST_PARTS * MOST_TEXT) as u64)) {
        drain(request).await;
        return Err(too_large(config));
    }
    let source = Arc::new(Source::default());
    let request = request.map(|body| {
        *source.body.lock().unwrap_or_else(PoisonError::into_inner) = Some(body.into_data_stream());
        Body::from_stream(Metered { source: source.clone(), paused: false })
    });
    let form = read_parts(request, config, limit, &source.unread).await;
    if form.is_err() {
        drain_rest(poll_fn(|context| source.poll(context))).await;
    }
    form
}

async fn read_parts(
    request: Request,
    config: &Config,
    limit: u64,
    unread: &AtomicUsize,
) -> Result<Form, Refusal> {
    let mut parts = Multipart::from_request(request, &()).await.map_err(|_| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "the body has to be a form: send multipart/form-data with the fields `file` and `model`",
        )
    })?;
    let mut form = Form::default();
    for _ in 0..MOST_PARTS {
        let next = in_time(parts.next_field()).await?;
        unread.store(0, Ordering::Relaxed);
        let Some(part) = next else { return Ok(form) };
        form.take(part, config, limit, unread).await?;
    }
    Err(Refusal::new(StatusCode::BAD_REQUEST, format!("the form has more than {MOST_PARTS} fields")))
}

impl Form {
    async fn take(
        &mut self,
        mut part: Field<'_>,
        config: &Config,
        limit: u64,
        unread: &AtomicUsize,
    ) -> Result<(), Refusal> {
        let name = part.name().unwrap_or_default().to_owned();
        if name == "file" {
            if self.file.is_some() {
                return Err(Refusal::field("file", "there are two files: send one at a time"));
            }
            let mut file = Incoming::begin(&config.storage).await?;
            while let Some(chunk) = in_time(part.chunk()).await? {
                unread.store(0, Ordering::Relaxed);
                if file.written() + chunk.len() as u64 > limit {
                    return Err(too_large(config));
                }
                file.write(&chunk).await?;
            }
            if file.written() == 0 {
                return Err(Refusal::field("file", "the file is empty: send one with sound in it"));
            }
            self.file = Some(file.finish().await?);
            return Ok(());
        }
        let mut text = Vec::new();
        while let Some(chunk) = in_time(part.chunk()).await? {
            unread.store(0, Ordering::Relaxed);
            if text.len() + chunk.len() > MOST_TEXT {
                let message = format!("a field of the form is longer than {MOST_TEXT} bytes: send less");
                return Err(Refusal::new(StatusCode::BAD_REQUEST, message));
            }
            text.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(text)
            .map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "a field of the form is no UTF-8 text"))?;
        self.fields.push((name.strip_suffix("[]").unwrap_or(&name).to_owned(), text));
        Ok(())
    }
}

/// What comes next of the form, unless nothing comes.
async fn in_time<T>(next: impl Future<Output = Result<T, MultipartError>>) -> Result<T, Refusal> {
    match tokio::time::timeout(BODY_TIMEOUT, next).await {
        Ok(Ok(it)) => Ok(it),
        Ok(Err(error)) => {
            let problem = Problem::new(
                StatusCode::BAD_REQUEST,
                format!("the form cannot be read, or ends early: {}", error.body_text()),
            );
            Err(problem.into())
        }
        Err(_) => {
            let message = format!("nothing came for {} s: send the file faster", BODY_TIMEOUT.as_secs());
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, message))
        }
    }
}

fn too_large(config: &Config) -> Refusal {
    let message = format!(
        "the file is larger than {} MiB: send a shorter or a compressed one, or raise \
         server.upload_limit_mib",
        config.server.upload_limit_mib
    );
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

/// The body of a request; the parser of forms and who drains it share it.
#[derive(Default)]
struct Source {
    body: Mutex<Option<BodyDataStream>>,
    /// Bytes since something came out of the form.
    unread: AtomicUsize,
}

impl Source {
    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        let mut body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        body.as_mut().map_or(Poll::Ready(None), |it| it.poll_next_unpin(context))
    }
}

/// A body of which no more is taken in than its reader keeps up with: the parser of forms takes all it can
/// get at once, and keeps headers of parts without a limit.
struct Metered {
    source: Arc<Source>,
    /// Whether the parser has to look at what it got before there is more.
    paused: bool,
}

impl Stream for Metered {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.paused) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.source.unread.load(Ordering::Relaxed) > MOST_UNREAD {
            return Poll::Ready(Some(Err(axum::Error::new("a part of it does not begin"))));
        }
        let chunk = ready!(self.source.poll(context));
        if let Some(Ok(chunk)) = &chunk {
            self.source.unread.fetch_add(chunk.len(), Ordering::Relaxed);
            self.paused = true;
        }
        Poll::Ready(chunk)
    }
}
