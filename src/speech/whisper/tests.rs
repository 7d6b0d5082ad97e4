//! The demo model, really run.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::path::{Path, PathBuf};

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{quality::*, words::*, *};
use crate::{
    audio::WavReader,
    config,
    speech::{Effort, Hints, How, TranscribeError, Transcriber, Utterance, Word},
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub(super) fn transcriber() -> WhisperTranscriber {
    let config = config::Transcription { threads: Some(1), ..config::Transcription::default() };
    WhisperTranscriber::load(&fixture("panotti-demo.en-q5_1.bin"), &config).unwrap()
}

fn samples(name: &str) -> Vec<f32> {
    let mut file = WavReader::open(fixture("speech").join(name)).unwrap();
    let mut bytes = Vec::new();
    file.read(usize::MAX, &mut bytes).unwrap();
    let mut out = Vec::new();
    file.info().format.sample.decode(&bytes, &mut out);
    out
}

#[test]
fn known_sentences_come_out_exactly_in_both_efforts() {
    let manifest = std::fs::read_to_string(fixture("speech/manifest.tsv")).unwrap();
    let mut it = transcriber();
    let mut n = 0;
    for line in manifest.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        if !fixture("speech").join(fields[0]).exists() {
            continue;
        }
        let utterance = Utterance { start_sample: 32_000, samples: samples(fields[0]) };
        for effort in [Effort::Live, Effort::Final] {
            let segments = it.transcribe(&utterance, &How::of(effort)).unwrap();
            let text: Vec<&str> = segments.iter().map(|it| it.text.as_str()).collect();
            assert_eq!(text.join(" "), fields[4], "{} {effort:?}", fields[0]);
            let end = 2000 + utterance.samples.len() as u64 / 16;
            let mut from = 2000;
            for word in segments.iter().flat_map(|it| &it.words) {
                assert!(
                    word.start_ms >= from && word.end_ms >= word.start_ms && word.end_ms <= end,
                    "{word:?}"
                );
                assert!((0.0..=1.0).contains(&word.confidence));
                from = word.end_ms;
            }
            assert!(segments.iter().all(|it| it.confidence > 0.3));
        }
        n += 1;
    }
    assert!(n >= 4);
}

#[test]
fn nothing_is_said_in_silence_and_noise() {
    let mut it = transcriber();
    // A linear congruential generator (Numerical Recipes), for noise that is the same every time.
    let mut seed = 1_u32;
    let mut noise = |level: f32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((seed >> 8) as f32 / (1 << 23) as f32 - 1.0) * level
    };
    let cases: [Vec<f32>; 5] = [
        Vec::new(),
        vec![0.0; 16_000],
        vec![f32::NAN; 16_000],
        (0..800).map(|_| noise(0.01)).collect(),
        samples("silence0.wav")[..32_000].to_vec(),
    ];
    for (i, samples) in cases.into_iter().enumerate() {
        for effort in [Effort::Live, Effort::Final] {
            let heard = it
                .transcribe(&Utterance { start_sample: 0, samples: samples.clone() }, &How::of(effort))
                .unwrap();
            assert!(heard.is_empty(), "case {i}: {heard:?}");
        }
    }
}

#[test]
fn tokens_become_words() {
    let token =
        |text: &[u8], start_ms, end_ms| Token { bytes: text.into(), start_ms, end_ms, probability: 0.5 };
    let tokens = [
        token(b" caf", -20, 100),
        token(b"\xc3", 100, 110),
        token(b"\xa9", 110, 300),
        token(b",", 300, 310),
        token(b" -", 310, 320),
        token(b" so", 200, 9000),
    ];
    let found: Vec<(String, u64, u64)> =
        words(&tokens, 1000, 500).into_iter().map(|it| (it.text, it.start_ms, it.end_ms)).collect();
    assert_eq!(found, [("café, -".into(), 1000, 1320), ("so".into(), 1320, 1500)]);
}

#[test]
fn a_stage_direction_has_no_word_outside_of_brackets() {
    for (text, want) in [
        ("[BLANK_AUDIO]", true),
        ("(music)", true),
        ("[Music] (applause).", true),
        ("...", true),
        ("[Music] Let us begin. [Music]", false),
        ("(Ann) Yes (Bob)", false),
        ("Yes. [Music]", false),
        ("[Music", false),
        ("[é] ü", false),
    ] {
        assert_eq!(is_stage_direction(text), want, "{text}");
    }
}

fn spoken(text: &str) -> Vec<Word> {
    let word = |(i, it): (usize, &str)| Word {
        start_ms: i as u64 * 500,
        end_ms: i as u64 * 500 + 400,
        text: it.into(),
        confidence: 1.0,
    };
    text.split(' ').enumerate().map(word).collect()
}

#[test]
fn long_talk_is_parted_at_the_ends_of_sentences() {
    let found = segments(spoken("Yes. We go at 6.20 today. No."), 2000);
    let texts: Vec<&str> = found.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["Yes. We go at 6.20 today.", "No."]);
    assert_eq!((found[0].start_ms, found[0].end_ms, found[1].start_ms), (0, 2900, 3000));
}

#[test]
fn circles_are_seen() {
    for (text, want) in [
        ("no no no no", true),
        ("a thank you thank you thank you thank you", true),
        ("no no no we go", false),
        ("the one and the two and the six and the ten", false),
    ] {
        assert_eq!(repeats(&spoken(text)), want, "{text}");
    }
}

#[test]
fn compression_tells_circles_that_are_no_exact_repeats() {
    let circle = "and the one and the two and the one and the three and the one and the two and the four and the \
                  one and the two and the three and the one and the two";
    assert!(compression_ratio(circle) > 2.4, "{}", compression_ratio(circle));
    let manifest = std::fs::read_to_string(fixture("speech/meeting-0.txt")).unwrap();
    assert!(compression_ratio(&manifest) < 2.4, "{}", compression_ratio(&manifest));
    assert_eq!(compression_ratio(""), 0.0);
    // As Python has it: len(text) / len(zlib.compress(text)).
    assert!((compression_ratio(&"ha ".repeat(40)) - 120.0 / 13.0).abs() < 2.0);
}

#[test]
fn a_hearing_that_nobody_wants_is_given_up() {
    let mut it = transcriber();
    let utterance = Utterance { start_sample: 0, samples: samples("meeting_picked.wav")[..320_000].to_vec() };
    let abandoned = How::of(Effort::Final);
    abandoned.abandon.store(true, Ordering::Relaxed);
    let answer = it.transcribe(&utterance, &abandoned);
    assert!(matches!(answer, Err(TranscribeError::Abandoned)), "{answer:?}");

    // On the way: whisper.cpp itself is what stops, since `transcribe` looks only before it begins.
    let how = How::of(Effort::Final);
    let (abandon, has_begun) = (how.abandon.clone(), Arc::new(AtomicBool::new(false)));
    let begun = has_begun.clone();
    let stopper = std::thread::spawn(move || {
        while !begun.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        // Past the look at the beginning, long before the end of twenty seconds with five beams.
        std::thread::sleep(std::time::Duration::from_millis(20));
        abandon.store(true, Ordering::Relaxed);
    });
    has_begun.store(true, Ordering::Release);
    let answer = it.transcribe(&utterance, &how);
    stopper.join().unwrap();
    assert!(matches!(answer, Err(TranscribeError::Abandoned)), "{answer:?}");

    // It works on as before.
    let utterance = Utterance { start_sample: 0, samples: samples("ex01.wav") };
    let first = transcriber().transcribe(&utterance, &How::of(Effort::Live)).unwrap();
    assert_eq!(it.transcribe(&utterance, &How::of(Effort::Live)).unwrap(), first);
    assert!(!first.is_empty());
}

#[test]
fn an_english_model_writes_english_whatever_is_asked() {
    let mut it = transcriber();
    assert_eq!((it.language(), it.languages()), ("en".into(), vec!["en".into()]));
    let utterance = Utterance { start_sample: 0, samples: samples("ex01.wav") };
    let plain = it.transcribe(&utterance, &How::of(Effort::Live)).unwrap();
    for language in ["en", "English", "de", "tlh", "\0"] {
        let hints = Hints { language: Some(language.into()), prompt: None };
        let how = How { hints: hints.into(), ..How::of(Effort::Live) };
        assert_eq!(it.transcribe(&utterance, &how).unwrap(), plain, "{language:?}");
        assert_eq!(it.heard_language(), None);
    }
}

#[test]
fn languages_have_codes_and_names() {
    for (given, code) in
        [("de", Some("de")), (" German ", Some("de")), ("EN", Some("en")), ("yue", Some("yue"))]
    {
        assert_eq!(languages::code(given), code, "{given}");
    }
    for none in ["auto", "", "klingon", "d\0e"] {
        assert_eq!(languages::code(none), None, "{none:?}");
    }
    assert!(languages::all().count() > 90 && languages::all().all(|it| languages::code(it) == Some(it)));
}

#[test]
fn a_prompt_is_cut_at_a_word_and_keeps_its_end() {
    log_to_tracing();
    let context = whisper_rs::WhisperContext::new_with_params(
        fixture("panotti-demo.en-q5_1.bin"),
        whisper_rs::WhisperContextParameters::default(),
    )
    .unwrap();
    let told = |most| {
        let tokens = prompt::tokens(&context, "Minutes of yesterday. Anna Berg, Sam Lee.", most);
        assert!(tokens.len() <= most);
        let bytes = tokens.iter().flat_map(|it| context.token_to_bytes(*it).unwrap().to_vec());
        String::from_utf8(bytes.collect()).unwrap()
    };
    let whole = " Minutes of yesterday. Anna Berg, Sam Lee.";
    assert_eq!(told(223), whole);
    for most in 1..20 {
        let text = told(most);
        let starts_a_word = text.starts_with(' ') || most < 3;
        assert!(whole.ends_with(&text) && starts_a_word, "{most}: {text:?}");
    }
    // What comes in may be anything.
    for text in ["", "\u{1F600}", "ab".repeat(2000).as_str(), "äöü—"] {
        prompt::tokens(&context, text, 223);
    }
    let config = config::Transcription {
        initial_prompt: Some("About boats.".into()),
        hot_words: vec!["Panotti".into(), " ".into(), "ALSA".into()],
        ..config::Transcription::default()
    };
    let hints = Hints { prompt: Some("Kiosk\0.".into()), ..Hints::default() };
    assert_eq!(prompt::text(&config, &hints).as_deref(), Some("About boats. Panotti, ALSA. Kiosk."));
    assert_eq!(prompt::text(&config::Transcription::default(), &Hints::default()), None);
    let long = Hints { prompt: Some("word ".repeat(10_000)), ..Hints::default() };
    assert!(prompt::text(&config, &long).unwrap().len() <= 4000);
}

/// Of what is doubtful beam search finds now this and now that, unless it begins anew.
#[test]
fn the_same_audio_gives_the_same_words_again() {
    let mut it = transcriber();
    let whole = samples("ex01.wav");
    let mut hear = |share: usize| {
        it.renew();
        // Cut off within a word.
        let samples = whole[..whole.len() * share / 100].to_vec();
        it.transcribe(&Utterance { start_sample: 0, samples }, &How::of(Effort::Final)).unwrap()
    };
    let shares = [40, 55, 70, 85];
    let first = shares.map(&mut hear);
    for _ in 0..4 {
        assert_eq!(shares.map(&mut hear), first);
    }
}
