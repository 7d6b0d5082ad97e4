//! Captions against a real log, with a transcriber that says and waits as it is told.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    sync::mpsc,
    thread,
    time::{Duration, SystemTime},
};

use panotti_sdk::{Event, Filter};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use super::*;
use crate::{
    audio::{SampleFormat, StreamFormat},
    live::Change,
    pipeline::queue::Live as Heard,
    recordings::{Command, NewRecording, Patch},
    speech::{Effort, Hints},
    status::CaptionState,
};

/// A box without a microphone and a model, whose transcriber a test plays.
struct Bench {
    scribe: Arc<Scribe>,
    log: EventLog,
    recordings: Recordings,
    live: Arc<Live>,
    queue: Arc<Queue>,
    status: Arc<Status>,
    runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let log = EventLog::open(&dir.path().join("events")).unwrap();
    let (recordings, mut commands) =
        Recordings::open(log.clone(), &dir.path().join("recordings"), Vec::new(), Box::new(|| false))
            .unwrap();
    thread::spawn(move || {
        while let Some(command) = commands.blocking_recv() {
            if let Command::Start { reply, .. } = command {
                let format = StreamFormat { sample: SampleFormat::S16Le, rate_hz: 16_000, channels: 1 };
                reply.send(Ok(format)).unwrap();
            }
        }
    });
    let (live, status): (Arc<Live>, Arc<Status>) = Default::default();
    let queue = Arc::new(Queue::new(Duration::from_secs(1), status.clone()));
    let scribe = Scribe {
        transcription: Transcription::default(),
        vad: Vad::default(),
        models_dir: dir.path().into(),
        queue: queue.clone(),
        recordings: recordings.clone(),
        log: log.clone(),
        status: status.clone(),
        live: live.clone(),
        model: watch::Sender::new(None),
        shown: Shown::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    Bench { scribe: Arc::new(scribe), log, recordings, live, queue, status, runtime, _dir: dir }
}

/// What a transcriber was asked, and where the answer goes.
struct Asked {
    how: How,
    utterance: Utterance,
    answer: mpsc::Sender<&'static str>,
}

impl Asked {
    fn says(self, text: &'static str) {
        self.answer.send(text).unwrap();
    }
}

/// Asks the test what was said; gives up when told so, as Whisper does.
struct Played(mpsc::Sender<Asked>);

impl Transcriber for Played {
    fn transcribe(&mut self, utterance: &Utterance, how: &How) -> Result<Vec<Segment>, TranscribeError> {
        let (answer, said) = mpsc::channel();
        self.0.send(Asked { how: how.clone(), utterance: utterance.clone(), answer }).unwrap();
        let text = loop {
            if how.abandon.load(Ordering::Relaxed) {
                return Err(TranscribeError::Abandoned);
            }
            if let Ok(text) = said.recv_timeout(Duration::from_millis(1)) {
                break text;
            }
        };
        speech::ScriptedTranscriber::new([text]).transcribe(utterance, how)
    }

    fn name(&self) -> String {
        "played".into()
    }

    fn heard_language(&self) -> Option<(&str, f32)> {
        Some(("de", 0.9))
    }
}

impl Bench {
    /// The thread "transcribe", as `Scribe::run` has it.
    fn run(&self) -> mpsc::Receiver<Asked> {
        let (ask, asked) = mpsc::channel();
        let scribe = self.scribe.clone();
        thread::spawn(move || {
            let mut transcriber = Played(ask);
            while let Some(work) = scribe.queue.next() {
                scribe.caption(work, &mut transcriber);
            }
        });
        asked
    }

    fn start(&self, title: &str) -> String {
        let new = NewRecording { title: title.into(), ..NewRecording::default() };
        self.runtime.block_on(self.recordings.start(new)).unwrap().id
    }

    fn captions(&self) -> Vec<Event> {
        let events = self.log.read(0, 1000, &Filter::default()).unwrap();
        events.into_iter().filter(|it| it.name.to_string() == "caption.published").collect()
    }
}

/// `seconds` of speech from second `from` on.
fn heard(recording: &str, lane: usize, from: u64, seconds: usize) -> Heard {
    let samples = vec![0.1; seconds * 16_000];
    let utterance = Utterance { start_sample: from * 16_000, samples };
    Heard { recording: recording.into(), lane, label: Some(format!("Seat {lane}")), utterance }
}

/// The next change; waits for it.
fn next(changes: &mut Receiver<Change>) -> Change {
    let deadline = SystemTime::now() + Duration::from_secs(60);
    loop {
        match changes.try_recv() {
            Ok(change) => return change,
            Err(TryRecvError::Empty) if SystemTime::now() < deadline => thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

fn shown(changes: &mut Receiver<Change>) -> (usize, u32, String, String) {
    match next(changes) {
        Change::Shown(it) => (it.lane, it.revision, it.stable.clone(), it.tentative.clone()),
        Change::Gone { .. } => panic!("gone"),
    }
}

#[test]
fn words_are_shown_while_they_are_spoken() {
    let it = bench();
    let id = it.start("Kiosk");
    let asked = it.run();
    let (_, mut changes) = it.live.follow();
    let partial = |seconds| it.queue.partial(heard(&id, 0, 4, seconds));

    partial(1);
    let first = asked.recv().unwrap();
    assert_eq!((first.how.effort, first.utterance.samples.len()), (Effort::Partial, 16_000));
    assert_eq!(*first.how.hints, Hints { language: None, prompt: Some("Kiosk.".into()) });
    first.says("We bill");
    assert_eq!(shown(&mut changes), (0, 1, String::new(), "We bill".into()));
    partial(2);
    asked.recv().unwrap().says("we will meet");
    assert_eq!(shown(&mut changes), (0, 2, "we".into(), "will meet".into()));
    partial(3);
    asked.recv().unwrap().says("We will meet on");
    assert_eq!(shown(&mut changes), (0, 3, "we will meet".into(), "on".into()));

    it.queue.live(heard(&id, 0, 4, 4));
    let last = asked.recv().unwrap();
    assert_eq!(last.how.effort, Effort::Live);
    assert!(it.captions().is_empty() && changes.is_empty(), "shown until there is a final caption");
    last.says("We will meet on Monday");
    let gone = Change::Gone { recording_id: id.clone(), lane: 0, start_ms: 4000 };
    assert_eq!(next(&mut changes), gone);
    let captions = it.captions();
    assert_eq!(captions.len(), 1);
    assert_eq!(captions[0].payload["segment"]["text"], "We will meet on Monday");

    // The next utterance counts anew; of one without words nothing is left either.
    it.queue.partial(heard(&id, 0, 9, 1));
    asked.recv().unwrap().says("Hm");
    assert_eq!(shown(&mut changes), (0, 1, String::new(), "Hm".into()));
    it.queue.live(heard(&id, 0, 9, 2));
    asked.recv().unwrap().says("");
    assert_eq!(next(&mut changes), Change::Gone { recording_id: id, lane: 0, start_ms: 9000 });
    assert_eq!(it.captions().len(), 1);
    it.queue.close();
}

#[test]
fn tracks_of_any_form_are_written_down_and_what_is_missing_is_told() {
    let it = bench();
    // A-law, 8 kHz, one channel: two seconds of silence, of which the second is cut off.
    let mut bytes = b"RIFF\xa6\x3e\0\0WAVEfmt \x12\0\0\0\x06\0\x01\0".to_vec();
    bytes.extend([8_000_u32, 8_000].iter().flat_map(|it| it.to_le_bytes()));
    bytes.extend(b"\x01\0\x08\0\0\0data\x80\x3e\0\0");
    bytes.extend([0xd5; 8_000]);
    std::fs::write(it._dir.path().join("recordings/room.wav"), bytes).unwrap();
    let ended = crate::recordings::ClientEnded {
        recording_id: "meeting".into(),
        microphone_audio_path: Some("room.wav".into()),
        system_audio_path: Some("gone.wav".into()),
        ..Default::default()
    };
    it.runtime.block_on(it.recordings.client_ended(ended)).unwrap();
    let transcriber = speech::ScriptedTranscriber::default();
    it.scribe.write_down("meeting", &mut Ok(Box::new(transcriber)));
    let recording = it.recordings.get("meeting").unwrap();
    assert_eq!(
        (recording.state, recording.duration_ms),
        (crate::recordings::State::Done, 1000),
        "{:?}",
        recording.error
    );
    let problem = recording.error.unwrap();
    assert!(problem.contains("gone.wav"), "{problem}");
    assert!(problem.contains("room.wav` is damaged: it ends after 1.0 s of 2.0 s"), "{problem}");
}

#[test]
fn a_slow_transcriber_drops_partial_captions_and_no_final_ones() {
    let it = bench();
    let id = it.start("");
    let asked = it.run();
    let (_, mut changes) = it.live.follow();
    for n in 0..4 {
        // Speech goes on, and the transcriber is never through with what was said before.
        it.queue.partial(heard(&id, 0, n * 10, 1));
        let partial = asked.recv().unwrap();
        assert_eq!(partial.how.effort, Effort::Partial);
        for seconds in 2..4 {
            it.queue.partial(heard(&id, 0, n * 10, seconds));
        }
        it.queue.live(heard(&id, 0, n * 10, 4));
        // The final caption does not wait for it.
        let last = asked.recv().unwrap();
        assert!(partial.how.abandon.load(Ordering::Relaxed));
        assert_eq!((last.how.effort, last.utterance.start_ms()), (Effort::Live, n * 10_000));
        last.says("Yes");
    }
    assert_eq!(it.status.facts().captions, CaptionState::WithoutPartials);
    // One that it has time for is shown again, and nothing of the others.
    it.queue.partial(heard(&id, 0, 50, 1));
    asked.recv().unwrap().says("And");
    assert_eq!(shown(&mut changes), (0, 1, String::new(), "And".into()));
    assert_eq!(it.captions().len(), 4);
    it.queue.close();
}

#[test]
fn everybody_has_a_caption_of_their_own() {
    let it = bench();
    let id = it.start("");
    let asked = it.run();
    let (_, mut changes) = it.live.follow();
    for revision in 1..3 {
        for lane in 0..2 {
            it.queue.partial(heard(&id, lane, 0, revision));
            asked.recv().unwrap().says(["Yes we can", "No you do not"][lane]);
            let (of, counted, ..) = shown(&mut changes);
            assert_eq!((of, counted as usize), (lane, revision));
        }
    }
    let (both, _) = it.live.follow();
    let both: Vec<_> = both.iter().map(|it| (it.speaker.as_deref().unwrap(), it.stable.as_str())).collect();
    assert_eq!(both, [("Seat 0", "Yes we can"), ("Seat 1", "No you do not")]);
    // The end of one leaves the other.
    it.queue.live(heard(&id, 1, 0, 3));
    asked.recv().unwrap().says("No you do not");
    assert_eq!(next(&mut changes), Change::Gone { recording_id: id.clone(), lane: 1, start_ms: 0 });
    assert_eq!(it.live.follow().0.len(), 1);
    // With its recording goes what is shown of it.
    it.queue.forget(&id);
    assert_eq!(next(&mut changes), Change::Gone { recording_id: id, lane: 0, start_ms: 0 });
    it.queue.close();
}

#[test]
fn what_is_known_of_a_meeting_follows_it() {
    let it = bench();
    let id = it.start("");
    let asked = it.run();
    let say = |utterance: Heard| {
        it.queue.live(utterance);
        let asked = asked.recv().unwrap();
        let hints = asked.how.hints.clone();
        asked.says("Ja");
        Hints::clone(&hints)
    };
    let hints = |language: Option<&str>, prompt: Option<&str>| Hints {
        language: language.map(Into::into),
        prompt: prompt.map(Into::into),
    };
    assert_eq!(say(heard(&id, 0, 0, 1)), hints(None, None), "a date is nothing that is said");
    // The transcriber found a language.
    assert_eq!(say(heard(&id, 0, 2, 1)), hints(Some("de"), None));
    let patch = Patch {
        title: Some("Kiosk".into()),
        attendees: Some(vec!["anna.berg@example.org".into()]),
        ..Patch::default()
    };
    it.runtime.block_on(it.recordings.update(&id, patch)).unwrap();
    assert_eq!(say(heard(&id, 0, 4, 1)), hints(Some("de"), Some("Kiosk. Anna Berg.")));
    let recording = it.recordings.get(&id).unwrap();
    assert_eq!(it.scribe.known_of(&recording), hints(Some("de"), Some("Kiosk. Anna Berg.")));
    it.scribe.forget("another");
    assert_eq!(it.scribe.known_of(&recording), hints(Some("de"), Some("Kiosk. Anna Berg.")));
    // Whoever gets its id is somebody else.
    it.scribe.forget(&id);
    assert_eq!(it.scribe.known_of(&recording), hints(None, Some("Kiosk. Anna Berg.")));
    assert_eq!(say(heard(&id, 0, 6, 1)), hints(None, Some("Kiosk. Anna Berg.")));
    assert_eq!(say(heard("another", 0, 0, 1)), hints(None, None));
    assert_eq!(it.scribe.known_of(&recording), hints(None, Some("Kiosk. Anna Berg.")));
    it.queue.close();
}
