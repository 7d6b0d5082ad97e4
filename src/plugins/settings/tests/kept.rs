//! What is written is what is read: any value, at any moment.

use std::{
    path::Path as FilePath,
    process::{Command, Stdio},
};

use proptest::prelude::*;

use super::{tree::Tree, *};

/// Text with everything that YAML takes for something else.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,12}",
        "[-:#&*!|>%@`{}\\[\\],?\"' \n\t~.0-9eE+]{0,8}",
        prop::sample::select(vec![
            "null",
            "~",
            "yes",
            "NO",
            "1e3",
            "0x10",
            "0o7",
            "1_000",
            ".inf",
            "=",
            "<<",
            "12:30:45",
            "2026-01-01",
            "\u{85}",
            "\u{2028}",
            "\u{feff}a",
            "---",
            "...",
            "- a",
            "a: b",
            " a",
            "a ",
            "é",
            "日本",
            "🎙"
        ])
        .prop_map(str::to_owned),
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let float = prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        float.prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..4)
                .prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    })
}

fn config() -> impl Strategy<Value = Value> {
    let words = prop::collection::vec(text(), 0..3);
    let engine = prop_oneof![
        Just(json!({ "kind": "none" })),
        (1..=8u8).prop_map(|it| json!({ "kind": "local", "threads": it })),
    ];
    let labels = prop::collection::btree_map(text(), text(), 0..4);
    (words, engine, labels, 0f32..1.0, any::<Option<u8>>(), any::<i64>(), 1..86_400u32).prop_map(
        |(words, engine, labels, threshold, most, after_ms, timeout_s)| {
            json!({ "words": words, "engine": engine, "labels": labels, "threshold": threshold, "most": most,
                "cut": { "after_ms": after_ms }, "timeout_s": timeout_s })
        },
    )
}

proptest! {
    #[test]
    fn any_configuration(config in config()) {
        let (_dir, site) = site(EXAMPLE);
        let revision = revise(&site, &SAMPLE, &Value::Null, config.clone()).unwrap();
        revision.write().unwrap();
        let kept = load(&site, &SAMPLE).unwrap();
        prop_assert_eq!(&kept, &revision.settings);
        for key in ["words", "engine", "labels", "most", "timeout_s"] {
            prop_assert_eq!(&kept.shown[key], &config[key]);
        }
    }

    #[test]
    fn any_value_at_all(value in json()) {
        let file = json!({ "name": "sample", "config": { "any": value } });
        let text = render::render(&SAMPLE, &schema::of_file(&SAMPLE), file.as_object().unwrap());
        let read = Tree::parse(&text).map_err(|it| TestCaseError::fail(format!("{it:?}\n{text}")))?;
        prop_assert_eq!(&read.value["config"]["any"], &value, "{}", text);
    }

    #[test]
    fn any_file_is_answered(text in "[ -~\n]{0,200}") {
        let (_dir, site) = site(&text);
        if let Err(unusable) = load(&site, &SAMPLE) {
            prop_assert!(!unusable.problems.is_empty());
        }
    }
}

#[test]
fn the_file_is_its_own_manual() {
    let (_dir, site) = site(EXAMPLE);
    set_enabled(&site, &SAMPLE, false).unwrap();
    let text = text_of(&site);
    for line in [
        "# Finds words.",
        "version: \"1.4.0\"",
        "enabled: false",
        "  # Words to look for,\n  # in any language.\n  # A list of at most 3 such as [a, b], each text; [] when left out.\n  words:\n    - hello\n",
        "  # One of fast, thorough; \"fast\" when left out.\n  # mode: fast\n",
        "  # Longest that handling one event may take.\n  # A whole number from 1 to 86400 s; 300 when left out.\n  # timeout_s: 300\n",
    ] {
        assert!(text.contains(line), "{line}\n---\n{text}");
    }
}

const FOLDER: &str = "PANOTTI_TEST_SETTINGS_WRITER";

/// Not a test by itself: what is killed by the one below.
#[test]
fn writer() {
    let Ok(dir) = std::env::var(FOLDER) else { return };
    let dir = FilePath::new(&dir);
    let site = Site {
        settings_dir: dir.to_owned(),
        env: Vec::new(),
        data_dir: dir.to_owned(),
        recordings_dir: dir.to_owned(),
        credentials_dir: None,
    };
    for round in 0_u32.. {
        let words = vec![round.to_string(); 3];
        let new = json!({ "words": words, "timeout_s": round % 1000 + 1, "labels": { "long": "x".repeat(20_000) } });
        revise(&site, &SAMPLE, &Value::Null, new).unwrap().write().unwrap();
        fs::write(dir.join("written"), round.to_string()).unwrap();
    }
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_or_the_new() {
    let (_dir, site) = site(EXAMPLE);
    let (mut last, mut rounds) = (None, 0);
    for turn in 0..8_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "plugins::settings::tests::kept::writer"])
            .env(FOLDER, &site.settings_dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let written = || {
            fs::read_to_string(site.settings_dir.join("written")).ok().and_then(|it| it.parse::<u32>().ok())
        };
        // Another moment each time: after so many rounds, and a little.
        while written().is_none_or(|it| u64::from(it) < turn) {
            assert!(child.try_wait().unwrap().is_none(), "the writer ended by itself");
            std::thread::yield_now();
        }
        for _ in 0..turn * 20_000 {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let settings = load(&site, &SAMPLE).unwrap();
        let words: Vec<u32> = settings.config["words"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.as_str().unwrap().parse().unwrap())
            .collect();
        assert!(words.len() == 3 && words.iter().all(|it| *it == words[0]), "{words:?}");
        assert_eq!(settings.timeout_s, words[0] % 1000 + 1);
        // `written` is behind by one round at most, or was being written itself.
        if let Some(acknowledged) = written() {
            assert!(words[0] >= acknowledged, "{} was kept and {acknowledged} acknowledged", words[0]);
            rounds += 1;
        }
        last = Some(words[0]);
        drop(fs::remove_file(site.settings_dir.join("written")));
    }
    assert!(last.is_some() && rounds > 0);
}
