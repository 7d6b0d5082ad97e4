//! The configuration from outside: what is accepted, what each mistake is answered with, and that a
//! configuration written out loads back the same.

use std::{fs, path::Path};

use panotti::config::{Config, KEYS, Key, Kind, Loaded, Override, Problems, Sources, load};
use proptest::prelude::*;
use serde_json::{Value, json};

fn load_text(text: &str, env: &[(&str, &str)], overrides: Vec<Override>) -> Result<Loaded, Problems> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("panotti.yaml");
    fs::write(&file, text).unwrap();
    let env = env.iter().map(|it| (it.0.to_owned(), it.1.to_owned())).collect();
    load(&Sources { file: Some(file), env, overrides })
}

/// `tests/cases/config/*.yaml` beside `*.expected`: what the user is told. A first line `# env: A=b C=d`
/// sets variables. `UPDATE_EXPECT=1` writes what is said now.
#[test]
fn bad_files_are_answered_with_what_to_write() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/config");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let env: Vec<_> = text
            .lines()
            .next()
            .and_then(|it| it.strip_prefix("# env: "))
            .map(|it| it.split(' ').filter_map(|pair| pair.split_once('=')).collect())
            .unwrap_or_default();
        let env = env.iter().map(|(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned())).collect();
        let said = match load(&Sources { file: Some(path.clone()), env, overrides: Vec::new() }) {
            Ok(_) => "no problem\n".to_owned(),
            Err(problems) => {
                let dir = format!("{}/", path.parent().unwrap().display());
                format!("{problems}\n").replace(&dir, "")
            }
        };
        let expected = path.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected, &said).unwrap();
        }
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(said, wanted, "{}: run with UPDATE_EXPECT=1 and read the difference", path.display());
        seen += 1;
    }
    assert!(seen >= 5, "the cases are gone");
}

#[test]
fn later_sources_win() {
    let file = "server: {listen: '127.0.0.1:1'}\nlogging: {level: error}\naudio: {labels: [x]}\n";
    let aliases = [("API_PORT", "2"), ("API_HOST", "localhost"), ("LOG_LEVEL", "WARNING"), ("API_KEY", "k")];
    let listen = |env: &[(&str, &str)]| load_text(file, env, Vec::new()).unwrap().config;
    assert_eq!(listen(&[]).server.listen.port(), 1);
    assert_eq!(listen(&aliases).server.listen.to_string(), "127.0.0.1:2");
    assert_eq!(listen(&aliases).logging.level, "warn");
    let ours = [aliases.as_slice(), &[("PANOTTI_SERVER__LISTEN", "[::1]:3")]].concat();
    assert_eq!(listen(&ours).server.listen.to_string(), "[::1]:3");
    assert_eq!(listen(&[("PANOTTI_AUDIO__LABELS", "Anna, Remote")]).audio.labels, ["Anna", "Remote"]);
    assert_eq!(listen(&[("PANOTTI_AUDIO__LABELS", "[\"Anna, B\"]")]).audio.labels, ["Anna, B"]);
    let option = Override::new("--log-level", "logging.level", "debug");
    assert_eq!(load_text(file, &aliases, vec![option]).unwrap().config.logging.level, "debug");
    let odd = load_text("", &[("PANOTTI_HOME", "x")], Vec::new()).unwrap();
    assert!(odd.warnings[0].contains("PANOTTI_HOME"), "{:?}", odd.warnings);
    assert!(load_text("", &[], Vec::new()).unwrap().config == Config::default());
}

#[test]
fn the_table_of_keys_is_in_step_with_the_types() {
    let Value::Object(sections) = serde_json::to_value(Config::default()).unwrap() else {
        panic!("a configuration is an object")
    };
    let paths: Vec<_> = sections
        .iter()
        .flat_map(|(section, keys)| keys.as_object().unwrap().keys().map(move |it| format!("{section}.{it}")))
        .collect();
    let mut known: Vec<_> = KEYS.iter().map(|it| it.path).collect();
    let mut wanted: Vec<_> = paths.iter().map(String::as_str).collect();
    known.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(known, wanted, "each field of Config has one row in src/config/keys.rs");
    for key in KEYS {
        let (section, name) = key.split();
        assert_eq!(sections[section][name].is_null(), key.optional, "{}: optional or not", key.path);
    }
}

#[test]
fn an_alias_bomb_is_an_error() {
    let mut text = "a0: &a0 [x, x]\n".to_owned();
    for it in 1..40 {
        let before = it - 1;
        text.push_str(&format!("a{it}: &a{it} [*a{before}, *a{before}]\n"));
    }
    let problems = load_text(&text, &[], Vec::new()).unwrap_err();
    assert_eq!(problems.0.len(), 1, "{problems}");
}

/// `panotti check-config` with a clean environment: exit code, standard output, standard error.
fn check_config(args: &[&str]) -> (i32, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_panotti"));
    command.env_clear().arg("check-config").args(args);
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn check_config_prints_a_file_that_loads_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("site.yaml");
    let text = "vad: {threshold: 0.1}\ntranscription: {language: no, initial_prompt: \"1 # no: 'x'\"}\n";
    fs::write(&file, text).unwrap();
    let (code, printed, said) = check_config(&["--config", file.to_str().unwrap(), "--log-level", "debug"]);
    assert_eq!(code, 0, "{said}");
    assert!(printed.contains("threshold: 0.1  # ") && printed.contains("site.yaml:1:"), "{printed}");
    assert!(printed.contains("level: \"debug\"  # --log-level"), "{printed}");
    let option = Override::new("--log-level", "logging.level", "debug");
    let wanted = load_text(text, &[], vec![option]).unwrap().config;
    assert_eq!(load_text(&printed, &[], Vec::new()).unwrap().config, wanted);
}

#[test]
fn check_config_fails_with_2_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("site.yaml");
    let (code, _, said) = check_config(&["--config", file.to_str().unwrap()]);
    assert!(code == 2 && said.contains("the file cannot be read"), "{said}");
    fs::write(&file, "audio: {rate_hz: 1}\n").unwrap();
    let (code, printed, _) = check_config(&["--json", "--config", file.to_str().unwrap()]);
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((code, report["problems"][0]["key"].as_str()), (2, Some("audio.rate_hz")), "{report}");
}

/// Values within what the key takes.
fn value(key: &'static Key) -> BoxedStrategy<Value> {
    let text = "[ -~äß€😀]{0,12}[a-z'\":#&*!%@`]";
    let good = match key.kind {
        Kind::Text(_) => text.prop_map(|it| json!(it)).boxed(),
        Kind::Bool => any::<bool>().prop_map(|it| json!(it)).boxed(),
        Kind::Int(min, max, _) => {
            (i64::try_from(min).unwrap()..=i64::try_from(max).unwrap()).prop_map(|it| json!(it)).boxed()
        }
        Kind::Float(min, max, _) => (min..=max).prop_map(|it| json!(it)).boxed(),
        Kind::Word(words) => proptest::sample::select(words).prop_map(|it| json!(it)).boxed(),
        Kind::Address => any::<(u32, u16)>()
            .prop_map(|(ip, port)| json!(format!("{}:{port}", std::net::Ipv4Addr::from(ip))))
            .boxed(),
        Kind::Sha256 => "[0-9a-f]{64}".prop_map(|it| json!(it)).boxed(),
        Kind::Language => proptest::sample::select(vec!["no", "en", "auto"]).prop_map(|it| json!(it)).boxed(),
        Kind::Cores => proptest::sample::select(vec!["0,2", "2-3"]).prop_map(|it| json!(it)).boxed(),
        Kind::LogFilter => proptest::sample::select(vec!["off", "info,panotti::audio=debug"])
            .prop_map(|it| json!(it))
            .boxed(),
        Kind::Texts(most) => proptest::collection::vec(text, 0..=most).prop_map(|it| json!(it)).boxed(),
    };
    if key.optional { prop_oneof![Just(Value::Null), good].boxed() } else { good }
}

fn tree() -> impl Strategy<Value = Value> {
    KEYS.iter().map(value).collect::<Vec<_>>().prop_map(|values| {
        let mut tree = json!({});
        for (key, value) in KEYS.iter().zip(values) {
            let (section, name) = key.split();
            tree[section][name] = value;
        }
        tree
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is loaded and written as YAML loads back equal.
    #[test]
    fn yaml_loads_back(tree in tree()) {
        // Rules between keys may refuse some; those are not what is looked at here.
        let Ok(first) = load_text(&tree.to_string(), &[], Vec::new()) else { return Ok(()) };
        let yaml = serde_saphyr::to_string(&first.config).unwrap();
        let again = load_text(&yaml, &[], Vec::new());
        prop_assert_eq!(again.map(|it| it.config).map_err(|it| format!("{it}\n{yaml}")), Ok(first.config));
    }
}
