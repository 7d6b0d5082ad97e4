//! A transcriber that takes its time: what a client may do until there is an answer.

use std::{path::PathBuf, sync::Arc};

use panotti_sdk::{
    BoxFuture, Configured, Context, ContextError, Event, Filter, Host, Outbox, Plugin, SecretText,
    SpeechModel, Work, async_trait,
};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::watch};

use super::*;
use crate::{Config, Wyoming};

/// A box that reads its model until it is told that it has done so, and then writes down until it is told
/// what was said. What the plugin does not call is not there.
struct SlowHost {
    directory: TempDir,
    is_loaded: watch::Sender<bool>,
    said: watch::Sender<Option<Transcript>>,
    /// Requests that somebody waits for.
    waited_for: Arc<()>,
    stopping: watch::Sender<bool>,
}

#[async_trait]
impl Host for SlowHost {
    async fn commit(&self, _: Outbox) -> Result<Vec<Arc<Event>>, ContextError> {
        unreachable!()
    }

    fn state(&self, _: &str) -> Result<Option<Vec<u8>>, ContextError> {
        unreachable!()
    }

    fn state_keys(&self, _: &str, _: Option<&str>) -> Result<Vec<String>, ContextError> {
        unreachable!()
    }

    fn events(&self, _: u64, _: usize, _: &Filter) -> Result<Vec<Event>, ContextError> {
        unreachable!()
    }

    fn event(&self, _: uuid::Uuid) -> Result<Option<Event>, ContextError> {
        unreachable!()
    }

    fn secret(&self, _: &str) -> Result<SecretText, ContextError> {
        unreachable!()
    }

    fn directory(&self) -> Result<PathBuf, ContextError> {
        Ok(self.directory.path().to_owned())
    }

    fn recordings(&self) -> Result<PathBuf, ContextError> {
        unreachable!()
    }

    fn data_directory(&self) -> PathBuf {
        unreachable!()
    }

    fn transcribe(
        &self,
        _: Option<String>,
        dictation: Dictation,
    ) -> BoxFuture<Result<Transcript, ContextError>> {
        let (mut loaded, mut said) = (self.is_loaded.subscribe(), self.said.subscribe());
        let waited_for = self.waited_for.clone();
        Box::pin(async move {
            loaded.wait_for(|it| *it).await.unwrap();
            let transcript = match dictation.tracks.is_empty() {
                true => Transcript::default(),
                false => said.wait_for(Option::is_some).await.unwrap().clone().unwrap(),
            };
            drop(waited_for);
            Ok(transcript)
        })
    }

    fn speech_model(&self) -> Option<SpeechModel> {
        let model = SpeechModel { name: "slow".into(), languages: vec!["en".into()] };
        self.is_loaded.borrow().then_some(model)
    }

    fn expects(&self, _: &str) -> bool {
        unreachable!()
    }

    fn blocking(&self, work: Work) -> BoxFuture<Result<(), ContextError>> {
        Box::pin(async { tokio::task::spawn_blocking(work).await.map_err(|_| ContextError::Work) })
    }

    fn stopping(&self) -> BoxFuture<()> {
        let mut stopping = self.stopping.subscribe();
        Box::pin(async move { drop(stopping.wait_for(|it| *it).await) })
    }
}

/// The plugin on such a box.
struct Slow {
    host: Arc<SlowHost>,
    plugin: Wyoming,
    runtime: Runtime,
}

impl Slow {
    fn new() -> Self {
        let host = Arc::new(SlowHost {
            directory: tempfile::tempdir().unwrap(),
            is_loaded: watch::Sender::new(false),
            said: watch::Sender::new(None),
            waited_for: Arc::default(),
            stopping: watch::Sender::new(false),
        });
        let config = Config { listen: "127.0.0.1:0".into(), idle_s: 1, ..Config::default() };
        let plugin = Wyoming::new(config, Context::new("wyoming", host.clone())).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(plugin.start()).unwrap();
        Self { host, plugin, runtime }
    }

    fn client(&self) -> Client {
        Client::at(self.plugin.running.get().unwrap().0)
    }

    /// Requests that the transcriber has, without the server's own.
    fn waited_for(&self) -> usize {
        Arc::strong_count(&self.host.waited_for) - 1
    }

    fn files(&self) -> usize {
        fs::read_dir(self.host.directory.path().join("requests")).unwrap().count()
    }
}

#[test]
fn a_client_that_asks_while_the_model_is_read_is_told_of_it_when_it_is_there() {
    let slow = Slow::new();
    let mut client = slow.client();
    client.send("describe", &json!({}));
    // Longer than a client may stay silent.
    let mut early = slow.client();
    assert_eq!(early.error().0, "timeout");
    client.send("ping", &json!({}));
    slow.host.is_loaded.send_replace(true);
    let info = client.answer("info");
    assert_eq!(
        (&info["asr"][0]["installed"], &info["asr"][0]["models"][0]["name"]),
        (&json!(true), &json!("slow"))
    );
    client.answer("pong");
}

#[test]
fn a_client_that_waits_is_not_idle_and_is_answered_in_order() {
    let slow = Slow::new();
    slow.host.is_loaded.send_replace(true);
    let mut client = slow.client();
    client.say(3200);
    client.send("audio-stop", &json!({}));
    until("it is waited for", || slow.waited_for() == 1);
    // More than is kept of what comes meanwhile.
    client.say(300_000);
    client.send("audio-stop", &json!({}));
    client.send("ping", &json!({}));
    assert_eq!(slow.client().error().0, "timeout");
    assert_eq!((slow.waited_for(), slow.files()), (1, 1));
    slow.host.said.send_replace(Some(transcript()));
    for kind in ["transcript", "transcript", "pong"] {
        client.answer(kind);
    }
    assert_eq!((slow.waited_for(), slow.files()), (0, 0));
    // From here on it is.
    assert_eq!(client.error().0, "timeout");
}

#[test]
fn what_nobody_waits_for_is_taken_back() {
    let slow = Slow::new();
    slow.host.is_loaded.send_replace(true);
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let mut client = slow.client();
            client.say(3200);
            client.send("audio-stop", &json!({}));
            client
        })
        .collect();
    until("all are waited for", || slow.waited_for() == 3 && slow.files() == 3);
    let mut left = clients.into_iter();
    drop(left.next());
    until("one is taken back", || slow.waited_for() == 2 && slow.files() == 2);
    // So are the others when the plugin stops.
    slow.host.stopping.send_replace(true);
    slow.runtime.block_on(slow.plugin.stop());
    assert_eq!((slow.waited_for(), slow.files()), (0, 0));
}
