//! Captions as people in the room see them, in real time through ALSA: a spoken meeting is played into a
//! PulseAudio null sink, the whole pipeline listens to it, and every caption is timed against the sound as it
//! arrived. One Markdown table on standard output. `make bench-live`, or `cargo bench --bench live`; takes
//! about two minutes. It needs pulseaudio and alsa-plugins (`make setup`).
//!
//! With `WHISPER_CPP` set to a built tree of whisper.cpp, its server gets the same sentences on the same
//! machine, cut out and whole, as if it knew where they end.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark for people"
)]

#[path = "../appliance/common.rs"]
mod common;
#[allow(dead_code, reason = "files are measured elsewhere")]
#[path = "../appliance/peer.rs"]
mod peer;
#[allow(dead_code, reason = "the tests need more of it")]
#[path = "../../tests/it/room.rs"]
mod room;

use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use common::{THREADS, fixture, machine, median, model, p90, row, sentences};
use panotti::{
    audio::{SampleFormat, WavReader},
    config::Config,
    event_log::EventLog,
    live::{Change, Live, Partial},
    pipeline::Pipeline,
    recordings::{NewRecording, Recordings},
    speech::{Segment, desk, word_error_rate},
    status::{CaptureState, ModelState, Status},
};
use panotti_sdk::Filter;
use room::Room;

/// Set for the process that listens: ALSA reads its configuration from the environment.
const INSIDE: &str = "PANOTTI_BENCH_INSIDE_THE_ROOM";

fn main() {
    if std::env::var_os(INSIDE).is_none() {
        let room = Room::open();
        println!("{}\n\n| what | measured |\n|---|---|", machine());
        // The room's own PulseAudio is the one that `paplay` finds there, too.
        let program = std::env::current_exe().unwrap();
        let status = Command::new(program).envs(room.environment()).env(INSIDE, "1").status().unwrap();
        assert!(status.success());
        peer::server(&fixture("speech/meeting-0.wav"), &sentences(), &model());
        return;
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(listen());
}

async fn listen() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.storage.data_dir = dir.path().into();
    config.audio.device = "room".into();
    (config.audio.rate_hz, config.audio.channels) = (Some(16_000), Some(1));
    config.audio.format = Some(SampleFormat::S16Le);
    config.transcription.model = Some(model().to_str().unwrap().into());
    config.transcription.threads = THREADS.parse().ok();
    let log = EventLog::open(&config.storage.events_dir()).unwrap();
    let folder = config.storage.recordings_dir();
    let (recordings, commands) =
        Recordings::open(log.clone(), &folder, Vec::new(), Box::new(|| true)).unwrap();
    let (live, status): (Arc<Live>, Arc<Status>) = Default::default();
    let (_desk, requests) = desk();
    let pipeline = Pipeline::start(&config, &recordings, commands, requests, &live, &log, &status).unwrap();
    let ready = || {
        let facts = status.facts();
        matches!(facts.model, ModelState::Ready { .. })
            && matches!(facts.capture, CaptureState::Running { .. })
    };
    while !ready() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let heard: Arc<Mutex<Heard>> = Arc::default();
    tokio::spawn(follow_partials(live.clone(), heard.clone()));
    tokio::spawn(follow_captions(log.clone(), heard.clone()));
    // Sample n of the recording arrived at `began` and n / 16,000 s.
    let began = Instant::now();
    let id = recordings.start(NewRecording::default()).await.unwrap().id;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (cpu, played) = (cpu_seconds(), Instant::now());
    let meeting = fixture("speech/meeting-0.wav");
    let mut play = Command::new("paplay").arg("--device=room").arg(&meeting).spawn().unwrap();
    let said = tokio::task::spawn_blocking(move || play.wait().unwrap().success());
    assert!(said.await.unwrap(), "paplay failed");
    let share = 100.0 * (cpu_seconds() - cpu) / played.elapsed().as_secs_f64();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let recording = recordings.stop(&id).await.unwrap();
    let state = status.facts().captions;
    let files = recordings.audio_files(&recording).unwrap().concat();
    let recorded = files.iter().flat_map(|it| read(it)).collect::<Vec<_>>();
    // Its beginning is silent; PulseAudio may put that into what it has already rendered.
    let (at, likeness) = room::find(&read(&meeting)[3200..], &recorded);
    assert!(likeness > 0.9, "what was heard is not what was played: {likeness}");
    let offset_s = (at as f64 - 3200.0) / 16_000.0;
    pipeline.stop(Duration::from_secs(5));
    let arrived = |at: &Instant| at.duration_since(began).as_secs_f64();
    let heard = heard.lock().unwrap();
    report_captions(&config, &heard.captions, offset_s, arrived);
    report_partials(&config, &heard, arrived);
    row("processor time while it was said", &format!("{share:.0} % of one core"));
    row("how captions kept up, at the end", &format!("{state:?}"));
}

/// What came, and when.
#[derive(Default)]
struct Heard {
    partials: Vec<(Instant, Change)>,
    captions: Vec<(Instant, Segment)>,
}

async fn follow_partials(live: Arc<Live>, heard: Arc<Mutex<Heard>>) {
    let (_, mut changes) = live.follow();
    while let Ok(change) = changes.recv().await {
        heard.lock().unwrap().partials.push((Instant::now(), change));
    }
}

async fn follow_captions(log: EventLog, heard: Arc<Mutex<Heard>>) {
    let (mut tail, mut seen) = (log.tail(), 0);
    loop {
        for event in log.read_new(seen, 100, &Filter::default()).unwrap() {
            seen = event.seq;
            if event.name.to_string() == "caption.published" {
                let segment = serde_json::from_value(event.payload["segment"].clone()).unwrap();
                heard.lock().unwrap().captions.push((Instant::now(), segment));
            }
        }
        if tail.changed().await.is_err() {
            return;
        }
    }
}

fn report_captions(
    config: &Config,
    captions: &[(Instant, Segment)],
    offset_s: f64,
    arrived: impl Fn(&Instant) -> f64,
) {
    let text: Vec<_> = captions.iter().map(|it| it.1.text.as_str()).collect();
    let reference = std::fs::read_to_string(fixture("speech/meeting-0.txt")).unwrap();
    row(
        "word errors of final captions",
        &format!("{:.1} %", 100.0 * word_error_rate(&reference, &text.join(" "))),
    );
    let sentences = sentences();
    // A caption belongs to the sentence at whose end it ends; two sentences without a pause share one.
    let latency = |end_s: f64| {
        let end = |it: &&(Instant, Segment)| (it.1.end_ms as f64 / 1000.0 - end_s).abs() < 0.5;
        captions.iter().rfind(end).map(|it| 1000.0 * (arrived(&it.0) - end_s))
    };
    let latencies: Vec<f64> = sentences.iter().filter_map(|it| latency(offset_s + it.to)).collect();
    let (n, all, silence) = (latencies.len(), sentences.len(), config.vad.min_silence_duration_ms);
    row(
        "end of speech to final caption, median",
        &format!("{:.0} ms, of which {silence} ms are the silence waited for", median(latencies.clone())),
    );
    row("end of speech to final caption, 90 %", &format!("{:.0} ms ({n} of {all} ends)", p90(latencies)));
}

fn report_partials(config: &Config, heard: &Heard, arrived: impl Fn(&Instant) -> f64) {
    // By utterance, with its final text.
    let mut utterances: BTreeMap<u64, Vec<(f64, Arc<Partial>)>> = BTreeMap::new();
    for (at, change) in &heard.partials {
        if let Change::Shown(it) = change {
            utterances.entry(it.start_ms).or_default().push((arrived(at), it.clone()));
        }
    }
    let pad_ms = u64::from(config.vad.speech_pad_ms);
    let first =
        |(start_ms, it): (&u64, &Vec<(f64, _)>)| Some(1000.0 * it.first()?.0 - (start_ms + pad_ms) as f64);
    let firsts: Vec<f64> = utterances.iter().filter_map(first).collect();
    row("start of speech to first partial caption, median", &format!("{:.0} ms", median(firsts.clone())));
    row("start of speech to first partial caption, 90 %", &format!("{:.0} ms", p90(firsts)));
    let spoken_ms: u64 = heard.captions.iter().map(|it| it.1.end_ms - it.1.start_ms).sum();
    let shown: usize = utterances.values().map(Vec::len).sum();
    row(
        "partial captions per second of speech",
        &format!("{:.2}", shown as f64 / (spoken_ms as f64 / 1000.0)),
    );

    // Of the words that one partial caption showed, those that the next one, or the final one, has otherwise.
    let (mut stable, mut stable_changed, mut tentative, mut tentative_changed) =
        (0_usize, 0_usize, 0_usize, 0_usize);
    let (mut kept, mut finally_changed) = (0.0, 0.0);
    for (start_ms, partials) in &utterances {
        for (before, after) in partials.iter().zip(partials.iter().skip(1)).map(|(a, b)| (&a.1, &b.1)) {
            let after_text = format!("{} {}", after.stable, after.tentative);
            let mut later = after_text.split_whitespace();
            let changed = |words: &str, later: &mut dyn Iterator<Item = &str>| {
                words
                    .split_whitespace()
                    .filter(|it| later.next().is_none_or(|now| plain(now) != plain(it)))
                    .count()
            };
            stable += before.stable.split_whitespace().count();
            stable_changed += changed(&before.stable, &mut later);
            tentative += before.tentative.split_whitespace().count();
            tentative_changed += changed(&before.tentative, &mut later);
        }
        let of_it = heard.captions.iter().filter(|it| it.1.start_ms >= *start_ms);
        let end = utterances.range(start_ms + 1..).next().map_or(u64::MAX, |it| *it.0);
        let text: Vec<_> =
            of_it.filter(|it| it.1.start_ms < end).flat_map(|it| it.1.text.split(' ')).collect();
        if let Some((_, last)) = partials.last() {
            let words = last.stable.split_whitespace().count();
            let same_length = text[..words.min(text.len())].join(" ");
            kept += words as f64;
            finally_changed += words as f64 * word_error_rate(&last.stable, &same_length);
        }
    }
    let share = |part: f64, of: f64| format!("{:.1} % of {of:.0}", 100.0 * part / of.max(1.0));
    row("stable words that a later partial caption changed", &share(stable_changed as f64, stable as f64));
    row("tentative words that the next one changed", &share(tentative_changed as f64, tentative as f64));
    row("stable words that the final caption has otherwise", &share(finally_changed, kept));
}

/// A word without its case and marks.
fn plain(word: &str) -> String {
    word.chars().filter(|it| it.is_alphanumeric()).collect::<String>().to_lowercase()
}

fn read(path: &Path) -> Vec<f32> {
    let mut file = WavReader::open(path).unwrap();
    let (mut bytes, mut samples) = (Vec::new(), Vec::new());
    file.read(usize::MAX, &mut bytes).unwrap();
    file.info().format.sample.decode(&bytes, &mut samples);
    samples
}

/// User and system time of this process so far, s (proc(5), fields 14 and 15).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let ticks: f64 = after_name.split(' ').skip(11).take(2).map(|it| it.parse::<f64>().unwrap()).sum();
    ticks / rustix::param::clock_ticks_per_second() as f64
}
