//! Settings files, good and bad. Owns the sample plugin that the tests of this folder share.

mod bad;
mod change;
mod kept;

use std::{collections::BTreeMap, fs};

use panotti_sdk::{
    Configured, Context, Delivery, HandlerError, Outbox, Plugin, PluginError, SecretRef,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::TempDir;

use super::*;

struct Sample;

#[panotti_sdk::async_trait]
impl Plugin for Sample {
    async fn handle(&self, _: &Delivery) -> Result<Outbox, HandlerError> {
        Ok(Outbox::new())
    }
}

impl Configured for Sample {
    type Config = Config;

    fn new(_: Config, _: Context) -> Result<Self, PluginError> {
        Ok(Self)
    }
}

/// Everything a plugin's settings are made of.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Where the model listens.
    #[schemars(url)]
    ollama_url: String,
    /// From which probability it counts.
    #[schemars(range(min = 0.0, max = 1.0))]
    threshold: f32,
    /// Words to look for,
    /// in any language.
    #[schemars(length(max = 3))]
    words: Vec<String>,
    /// How it is done.
    mode: Mode,
    /// Who answers.
    engine: Engine,
    /// What opens the door.
    api_key: Option<SecretRef>,
    /// Another, for the night.
    night: Option<Mode>,
    /// Names of speakers.
    labels: BTreeMap<String, String>,
    /// What is cut off.
    cut: Cut,
    /// How often at most.
    #[schemars(extend("x-unit" = "per hour"))]
    most: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// At once.
    Fast,
    /// With care.
    Thorough,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Engine {
    /// Nobody.
    None,
    /// A program.
    Local {
        /// Its threads.
        #[schemars(range(min = 1, max = 8))]
        threads: u8,
    },
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Cut {
    /// Before.
    before_ms: u32,
    /// After.
    after_ms: i64,
}

impl Default for Cut {
    fn default() -> Self {
        Self { before_ms: 100, after_ms: -5 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ollama_url: "http://127.0.0.1:11434".into(),
            threshold: 0.1,
            words: Vec::new(),
            mode: Mode::Fast,
            engine: Engine::None,
            api_key: None,
            night: None,
            labels: BTreeMap::new(),
            cut: Cut::default(),
            most: None,
        }
    }
}

const EXAMPLE: &str = "\
name: sample
version: \"1.4.0\"
enabled: true
dependencies: []
config:
  words: [hello] # what people say
";

const SAMPLE: Descriptor =
    Descriptor { description: "Finds words.", ..Descriptor::of::<Sample>("sample", "1.4.0", EXAMPLE) };

fn empty_site() -> (TempDir, Site) {
    let dir = tempfile::tempdir().unwrap();
    let site = Site {
        settings_dir: dir.path().join("plugins.d"),
        env: Vec::new(),
        data_dir: dir.path().to_owned(),
        recordings_dir: dir.path().join("recordings"),
        credentials_dir: None,
    };
    prepare(&site).unwrap();
    (dir, site)
}

/// A place where the sample's file says `text`.
fn site(text: &str) -> (TempDir, Site) {
    let (dir, site) = empty_site();
    fs::write(site.settings_dir.join("sample.yaml"), text).unwrap();
    (dir, site)
}

fn with_env(site: Site, env: &[(&str, &str)]) -> Site {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Site { env, ..site }
}

fn text_of(site: &Site) -> String {
    fs::read_to_string(site.settings_dir.join("sample.yaml")).unwrap()
}

/// `line:column key: what; instead`, or the variable in front.
fn told(site: &Site, problems: &[SettingsProblem]) -> Vec<String> {
    let (dir, data) = (format!("{}/", site.settings_dir.display()), site.data_dir.display().to_string());
    problems.iter().map(|it| it.to_string().replace(&dir, "").replace(&data, "DATA")).collect()
}

#[test]
fn the_first_start_writes_the_example() {
    let (_dir, site) = empty_site();
    let settings = load(&site, &SAMPLE).unwrap();
    assert_eq!(text_of(&site), EXAMPLE);
    assert!(settings.enabled);
    assert_eq!(settings.max_concurrent_tasks.get(), 4);
    assert_eq!((settings.timeout_s, settings.memory_limit_mib), (300, 256));
    let expected = Config { words: vec!["hello".into()], ..Config::default() };
    assert_eq!(serde_json::from_value::<Config>(settings.config.clone()).unwrap(), expected);
    // With 32 bits, not as 0.10000000149.
    assert_eq!(settings.config["threshold"], json!(0.1));
    assert_eq!(settings.config["cut"], json!({ "before_ms": 100, "after_ms": -5 }));
    assert_eq!(settings.config.get("timeout_s"), None);
    assert_eq!(settings.shown["timeout_s"], 300);
    // What is there is never written over.
    fs::write(site.settings_dir.join("sample.yaml"), "name: sample\nversion: \"1.4.0\"\nenabled: false\n")
        .unwrap();
    assert!(!load(&site, &SAMPLE).unwrap().enabled);
    assert!(text_of(&site).ends_with("enabled: false\n"));
}

#[test]
fn a_plugin_without_settings_of_its_own() {
    struct Plain;
    #[panotti_sdk::async_trait]
    impl Plugin for Plain {
        async fn handle(&self, _: &Delivery) -> Result<Outbox, HandlerError> {
            Ok(Outbox::new())
        }
    }
    impl Configured for Plain {
        type Config = ();
        fn new((): (), _: Context) -> Result<Self, PluginError> {
            Ok(Self)
        }
    }
    let plain = Descriptor::of::<Plain>("plain", "0.1.0", "name: plain\nversion: \"0.1.0\"\n");
    let (_dir, site) = empty_site();
    let settings = load(&site, &plain).unwrap();
    assert_eq!(settings.config, Value::Null);
    assert_eq!(settings.shown["memory_limit_mib"], 256);
    let site = with_env(site, &[("PANOTTI_PLUGIN_PLAIN__TIMEOUT_S", "7")]);
    assert_eq!(load(&site, &plain).unwrap().timeout_s, 7);
}

#[test]
fn all_forms_of_values_fit() {
    let (dir, site) = site(
        "name: sample\nversion: '1.0.3'\ndependencies: [other]\nconfig:\n  timeout_s: 5\n  mode: thorough\n  \
         night: fast\n  engine:\n    kind: local\n    threads: 2\n  labels: {1: Anna, true: Ben}\n  cut:\n  \
         api_key: { secret: DOOR }\n  threshold: 1\n  most: 200\n",
    );
    fs::create_dir(dir.path().join("secrets")).unwrap();
    let key = dir.path().join("secrets/DOOR");
    fs::write(&key, "open sesame").unwrap();
    std::os::unix::fs::chown(&key, Some(rustix::process::geteuid().as_raw()), None).unwrap();
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let settings = load(&site, &SAMPLE).unwrap();
    assert_eq!(settings.dependencies, ["other"]);
    assert_eq!(settings.timeout_s, 5);
    let config: Config = serde_json::from_value(settings.config).unwrap();
    assert_eq!(config.engine, Engine::Local { threads: 2 });
    assert_eq!((config.mode, config.night), (Mode::Thorough, Some(Mode::Fast)));
    assert_eq!(config.labels["1"], "Anna");
    assert_eq!((config.most, config.cut), (Some(200), Cut::default()));
    assert!(!settings.shown.to_string().contains("sesame"));
    assert_eq!(settings.shown["api_key"], json!({ "secret": "DOOR" }));
}

#[test]
fn the_environment_lies_over_the_file() {
    let (_dir, site) =
        site("name: sample\nversion: \"1.4.0\"\nconfig:\n  labels: {Mic: Anna}\n  mode: fast\n");
    let site = with_env(
        site,
        &[
            ("PANOTTI_PLUGIN_SAMPLE__ENABLED", "false"),
            ("PANOTTI_PLUGIN_SAMPLE__OLLAMA_URL", "https://x.test/a#b"),
            ("PANOTTI_PLUGIN_SAMPLE__WORDS", "[\"no\", 'yes # or so']"),
            ("PANOTTI_PLUGIN_SAMPLE__CUT__BEFORE_MS", "7"),
            ("PANOTTI_PLUGIN_SAMPLE__LABELS__MIC", "12"),
            ("PANOTTI_PLUGIN_SAMPLE__LABELS__ROOM", "R # 1"),
            ("PANOTTI_PLUGIN_SAMPLE__ENGINE", "{ kind: local, threads: 1 }"),
            ("PANOTTI_PLUGIN_SAMPLE__ENGINE__THREADS", "3"),
            ("PANOTTI_PLUGIN_SAMPLE__NIGHT", ""),
            ("PANOTTI_PLUGIN_SAMPLE__API_KEY", "{ secret: NONE }"),
            ("PANOTTI_PLUGIN_SAMPLE2__WHATEVER", "is not ours"),
        ],
    );
    let before = text_of(&site);
    let settings = load(&site, &SAMPLE).unwrap();
    assert!(!settings.enabled);
    let config: Config = serde_json::from_value(settings.config).unwrap();
    assert_eq!(config.ollama_url, "https://x.test/a#b");
    assert_eq!(config.words, ["no", "yes # or so"]);
    assert_eq!(config.cut, Cut { before_ms: 7, after_ms: -5 });
    assert_eq!(config.labels, [("Mic".into(), "12".into()), ("room".into(), "R # 1".into())].into());
    assert_eq!(config.engine, Engine::Local { threads: 3 });
    assert_eq!(text_of(&site), before);
}

#[test]
fn the_schema_has_the_settings_of_every_plugin() {
    let schema = schema(&SAMPLE);
    let names: Vec<_> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "api_key",
            "cut",
            "engine",
            "event_filter",
            "labels",
            "max_concurrent_tasks",
            "memory_limit_mib",
            "mode",
            "most",
            "night",
            "ollama_url",
            "threshold",
            "timeout_s",
            "words"
        ]
    );
    assert_eq!(schema["properties"]["words"]["description"], "Words to look for,\nin any language.");
    assert!(schema["$defs"]["Mode"].is_object());
}

#[test]
fn every_example_in_this_binary_fits() {
    for it in super::super::PLUGINS.iter().chain([&SAMPLE]) {
        let (_dir, site) = empty_site();
        // Its secrets are not here.
        let off = format!("PANOTTI_PLUGIN_{}__ENABLED", it.name.to_uppercase());
        let site = with_env(site, &[(&off, "false")]);
        let told = load(&site, it).map_err(|it| told(&site, &it.problems));
        assert!(told.is_ok(), "{}: {told:#?}", it.name);
        let text = fs::read_to_string(site.settings_dir.join(format!("{}.yaml", it.name))).unwrap();
        assert!(text.contains(&format!("version: \"{}\"", it.version)), "{}: its example's version", it.name);
    }
}
