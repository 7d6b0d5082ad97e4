//! What a client says, and what it is answered. Owns the meaning of events and their order; leaves bytes to
//! `protocol` and the socket to `server`.

use std::{fmt, future, sync::Arc};

use panotti_sdk::{
    AudioTrack, BoxFuture, Dictation,
    serde_json::{Map, Value, json},
};

use crate::{
    audio::{Format, Incoming},
    info,
    protocol::{self, Event, Item},
    refused::Refused,
    server::Server,
};

/// Most characters of names and terms that are handed on: Whisper takes about 224 tokens before the audio.
const LONGEST_PROMPT: usize = 600;

/// One client's conversation.
pub(crate) struct Session {
    server: Arc<Server>,
    /// What is known of the audio that comes next.
    wish: Dictation,
    audio: Option<Incoming>,
    /// Whether the payload that comes is audio.
    in_chunk: bool,
    /// The answer that is due.
    due: Option<BoxFuture<Result<Vec<u8>, Refused>>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("audio", &self.audio).finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(server: Arc<Server>) -> Self {
        Self { server, wish: Dictation::default(), audio: None, in_chunk: false, due: None }
    }

    /// Whether an answer is due.
    pub(crate) fn is_awaited(&self) -> bool {
        self.due.is_some()
    }

    /// Takes what came, and answers at once where that can be. Not called while an answer is due: the next
    /// request waits for that.
    ///
    /// # Errors
    /// [`Refused`], after which the conversation is over.
    pub(crate) async fn take(&mut self, item: Item<'_>) -> Result<Option<Vec<u8>>, Refused> {
        match item {
            Item::Begins(event) => self.event(&event).await,
            Item::Payload(audio) if self.in_chunk => {
                if let Some(incoming) = self.audio.take() {
                    self.audio = Some(incoming.push(&self.server.context, audio).await?);
                }
                Ok(None)
            }
            Item::Payload(_) => Ok(None),
            Item::Ends => {
                self.in_chunk = false;
                Ok(None)
            }
        }
    }

    async fn event(&mut self, event: &Event) -> Result<Option<Vec<u8>>, Refused> {
        match event.kind.as_str() {
            "describe" => {
                let server = self.server.clone();
                self.due = Some(Box::pin(async move {
                    server.ready().await;
                    let model = server.context.speech_model();
                    Ok(protocol::encode("info", &info::info(model.as_ref())))
                }));
            }
            "ping" => {
                let text = event.data.get("text").filter(|it| it.is_string());
                return Ok(Some(protocol::encode("pong", &json!({ "text": text }))));
            }
            "transcribe" => {
                self.wish = Dictation {
                    language: self.language(&event.data)?,
                    prompt: prompt(&event.data),
                    ..Dictation::default()
                }
            }
            "audio-start" => {
                // What came before was given up.
                self.audio = None;
                self.begin(Format::given(&event.data)?.ok_or(Refused::NoFormat)?).await?;
            }
            "audio-chunk" => {
                let running = self.audio.as_ref().map(Incoming::format);
                match (running, Format::given(&event.data)?) {
                    (None, None) => return Err(Refused::NoAudio("audio-chunk")),
                    (None, Some(format)) => self.begin(format).await?,
                    (Some(running), Some(given)) if running != given => return Err(Refused::FormatChanged),
                    (Some(_), _) => {}
                }
                self.in_chunk = true;
            }
            "audio-stop" => {
                let audio = self.audio.take().ok_or(Refused::NoAudio("audio-stop"))?;
                self.dictate(audio.end(&self.server.context).await?);
            }
            // Later versions may have more.
            _ => {}
        }
        Ok(None)
    }

    async fn begin(&mut self, format: Format) -> Result<(), Refused> {
        let Server { context, storage, limits, .. } = &*self.server;
        self.audio = Some(Incoming::begin(context, storage, format, limits.longest_s).await?);
        Ok(())
    }

    fn dictate(&mut self, audio: Incoming) {
        let track = AudioTrack { files: vec![audio.path().to_owned()], ..AudioTrack::default() };
        let dictation = Dictation { tracks: vec![track], ..std::mem::take(&mut self.wish) };
        let server = self.server.clone();
        self.due = Some(Box::pin(async move {
            let transcript = server.context.dictate(dictation).await?;
            drop(audio);
            server.count_answer();
            let data = json!({ "text": transcript.text(), "language": transcript.language });
            Ok(protocol::encode("transcript", &data))
        }));
    }

    /// The answer that is due, when it is there; without one, never. May be dropped and called again.
    ///
    /// # Errors
    /// [`Refused::Transcriber`].
    pub(crate) async fn answer(&mut self) -> Result<Vec<u8>, Refused> {
        let Some(due) = &mut self.due else { return future::pending().await };
        let answer = due.await;
        self.due = None;
        answer
    }

    /// The language that is asked for, ISO 639-1: the region of `en-GB` does not matter to Whisper.
    fn language(&self, data: &Map<String, Value>) -> Result<Option<String>, Refused> {
        let asked = data.get("language").and_then(Value::as_str).unwrap_or_default();
        let language = asked.split(['-', '_']).next().unwrap_or_default().trim().to_ascii_lowercase();
        if language.is_empty() || language == "auto" {
            return Ok(None);
        }
        // While the model is being read, the audio waits for it; what it knows is not known yet.
        match self.server.context.speech_model() {
            Some(model) if !model.languages.contains(&language) => {
                Err(Refused::Language { language: asked.chars().take(20).collect(), model: model.name })
            }
            _ => Ok(Some(language)),
        }
    }
}

/// What is likely to be said, as a sentence: names first, as the protocol asks.
fn prompt(data: &Map<String, Value>) -> Option<String> {
    let words =
        ["transcript_names", "transcript_terms"].into_iter().filter_map(|it| data.get(it)?.as_array());
    let mut prompt = String::new();
    for word in words.flatten().filter_map(Value::as_str) {
        let word: String =
            word.split(|it: char| it.is_control() || it.is_whitespace()).collect::<Vec<_>>().join(" ");
        let word = word.trim();
        if word.is_empty() {
            continue;
        }
        if prompt.chars().count() + word.chars().count() > LONGEST_PROMPT {
            break;
        }
        prompt += if prompt.is_empty() { "" } else { ", " };
        prompt += word;
    }
    (!prompt.is_empty()).then(|| prompt + ".")
}
