//! Captions while people speak, through the whole pipeline: from a source in real time to what is shown.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use panotti::{
    config::Config,
    event_log::EventLog,
    live::{Change, Live},
    pipeline::Pipeline,
    recordings::{NewRecording, Recordings},
    speech::desk,
    status::{CaptureState, ModelState, Status},
};
use panotti_sdk::{Event, Filter};
use tokio::sync::broadcast;

use crate::harness::{PATIENCE, demo_model, fixture};

/// A box without HTTP, in this process: what is shown can be watched without a route.
struct Ear {
    recordings: Recordings,
    log: EventLog,
    live: Arc<Live>,
    status: Arc<Status>,
    pipeline: Option<Pipeline>,
    _dir: tempfile::TempDir,
}

impl Ear {
    async fn hearing(wav: &Path, labels: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.storage.data_dir = dir.path().into();
        config.audio.device = format!("wav:{}", wav.display());
        config.audio.labels = labels.iter().map(|it| (*it).into()).collect();
        config.transcription.model = Some(demo_model().to_str().unwrap().into());
        config.transcription.threads = Some(1);
        let log = EventLog::open(&config.storage.events_dir()).unwrap();
        let folder = config.storage.recordings_dir();
        let (recordings, commands) =
            Recordings::open(log.clone(), &folder, config.audio.labels.clone(), Box::new(|| false)).unwrap();
        let (live, status): (Arc<Live>, Arc<Status>) = Default::default();
        let (_, requests) = desk();
        let pipeline =
            Pipeline::start(&config, &recordings, commands, requests, &live, &log, &status).unwrap();
        let it = Self { recordings, log, live, status, pipeline: Some(pipeline), _dir: dir };
        it.until("the model is there and sound arrives", || {
            let facts = it.status.facts();
            let ready = matches!(facts.model, ModelState::Ready { .. });
            (ready && matches!(facts.capture, CaptureState::Running { .. })).then_some(())
        })
        .await;
        it
    }

    async fn until<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn record(&self) -> String {
        self.recordings.start(NewRecording::default()).await.unwrap().id
    }

    fn captions(&self) -> Vec<Event> {
        let events = self.log.read(0, 1000, &Filter::default()).unwrap();
        events.into_iter().filter(|it| it.name.to_string() == "caption.published").collect()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        if let Some(pipeline) = self.pipeline.take() {
            pipeline.stop(Duration::from_secs(10));
        }
    }
}

async fn next(changes: &mut broadcast::Receiver<Change>) -> Change {
    tokio::time::timeout(PATIENCE, changes.recv()).await.expect("a change in time").unwrap()
}

/// A file of 16 kHz that says a channel's fixture on each channel, from second 2 on, with silence after it.
fn room(path: &Path, channels: &[&str]) {
    let said: Vec<Vec<i16>> = channels
        .iter()
        .map(|it| {
            let mut file = hound::WavReader::open(fixture(&format!("speech/{it}.wav"))).unwrap();
            file.samples().take(16_000 * 12).map(Result::unwrap).collect()
        })
        .collect();
    let spec = hound::WavSpec {
        channels: channels.len() as u16,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..16_000 * 60 {
        for channel in &said {
            let at = usize::checked_sub(n, 32_000);
            file.write_sample(at.and_then(|at| channel.get(at)).copied().unwrap_or(0)).unwrap();
        }
    }
    file.finalize().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_shown_while_they_are_spoken() {
    let dir = tempfile::tempdir().unwrap();
    let wav = dir.path().join("room.wav");
    room(&wav, &["meeting_picked"]);
    let ear = Ear::hearing(&wav, &[]).await;
    let (_, mut changes) = ear.live.follow();
    let id = ear.record().await;
    let (mut finals, mut revisions) = (0, Vec::new());
    let mut shown: Option<Arc<panotti::live::Partial>> = None;
    while finals < 2 {
        match next(&mut changes).await {
            Change::Shown(it) => {
                assert_eq!((it.recording_id.as_str(), it.lane), (id.as_str(), 0));
                if let Some(before) = &shown {
                    assert_eq!((it.start_ms, it.revision), (before.start_ms, before.revision + 1));
                    assert!(
                        it.stable.starts_with(&before.stable),
                        "{:?} after {:?}",
                        it.stable,
                        before.stable
                    );
                } else {
                    assert_eq!(it.revision, 1);
                }
                let captions = ear.captions();
                let caption_ms = |it: &Event| it.payload["segment"]["start_ms"].as_u64().unwrap();
                assert!(
                    captions.iter().all(|last| caption_ms(last) < it.start_ms),
                    "before its final caption"
                );
                revisions.push(it.revision);
                shown = Some(it);
            }
            Change::Gone { start_ms, .. } => {
                let last = shown.take().expect("gone after it was shown");
                assert_eq!(last.start_ms, start_ms);
                let found = ear.captions();
                let payload = |it: &Event| it.payload["segment"].clone();
                let caption = found.iter().map(payload).find(|it| it["start_ms"] == start_ms);
                assert!(caption.is_some(), "its final caption is in the log already: {found:?}");
                finals += 1;
            }
        }
    }
    assert!(
        revisions.iter().any(|it| *it >= 2),
        "sentences of some seconds are shown as they grow: {revisions:?}"
    );
    ear.recordings.stop(&id).await.unwrap();
    ear.until("nothing is shown any more", || ear.live.follow().0.is_empty().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_speak_at_the_same_time_are_both_heard() {
    let dir = tempfile::tempdir().unwrap();
    let wav = dir.path().join("two.wav");
    room(&wav, &["ex01", "ex02"]);
    let ear = Ear::hearing(&wav, &["Anna", "Bo"]).await;
    let (_, mut changes) = ear.live.follow();
    let id = ear.record().await;
    let mut gone = std::collections::BTreeSet::new();
    let mut speakers = std::collections::BTreeSet::new();
    let mut at_once = 0;
    while gone.len() < 2 {
        match next(&mut changes).await {
            Change::Shown(it) => {
                assert_eq!(it.speaker.as_deref(), Some(["Anna", "Bo"][it.lane]));
                speakers.insert(it.lane);
                at_once = at_once.max(ear.live.follow().0.len());
            }
            Change::Gone { lane, .. } => drop(gone.insert(lane)),
        }
    }
    assert_eq!((speakers.len(), at_once), (2, 2), "a partial caption for each, at the same time");
    let manifest = std::fs::read_to_string(fixture("speech/manifest.tsv")).unwrap();
    let text =
        |name: &str| manifest.lines().find(|it| it.starts_with(name)).unwrap().split('\t').nth(4).unwrap();
    for (speaker, name) in [("Anna", "ex01"), ("Bo", "ex02")] {
        let captions = ear.captions();
        let said: Vec<_> = captions
            .iter()
            .filter(|it| it.payload["segment"]["speaker"] == speaker)
            .map(|it| it.payload["segment"]["text"].as_str().unwrap())
            .collect();
        let errors = panotti::speech::word_error_rate(text(name), &said.join(" "));
        assert!(errors <= 0.2, "{speaker}: {said:?}");
    }
    ear.recordings.stop(&id).await.unwrap();
}
