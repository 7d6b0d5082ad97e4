//! What is wrong with settings is told all at once, each with its place.

use super::*;
use crate::plugins::list::Known;

/// Everything that is told of the sample's file.
fn wrong(text: &str) -> Vec<String> {
    let (_dir, site) = site(text);
    told(&site, &load(&site, &SAMPLE).unwrap_err().problems)
}

#[test]
fn everything_at_once_with_its_place() {
    let text = "\
name: sample
version: \"1.4.0\"
enabeld: true
timeout_s: 9
config:
  olama_url: http://x
  ollama_url: nowhere
  threshold: 1.5
  words: [a, 1, [b]]
  mode: fats
  night: 3
  engine: { kind: locall }
  api_key: { secret: NONE }
  labels: [a]
  cut:
    before_ms: -1
    after_ms: soon
    aftr_ms: 1
  most: 256
  max_concurrent_tasks: 65
";
    assert_eq!(
        wrong(text),
        [
            "sample.yaml:3:1: enabeld: there is no such key; did you mean enabled?",
            "sample.yaml:4:1: timeout_s: there is no such key; it belongs to the section config",
            "sample.yaml:6:3: config.olama_url: there is no such key; did you mean config.ollama_url?",
            "sample.yaml:7:15: config.ollama_url: \"nowhere\" does not fit; write an address such as http://127.0.0.1:11434",
            "sample.yaml:8:14: config.threshold: 1.5 is out of range; write a number from 0 to 1",
            "sample.yaml:9:14: config.words[1]: 1 is a number, not text; put it in quotes: \"1\"",
            "sample.yaml:9:17: config.words[2]: a list does not fit here; write text",
            "sample.yaml:10:9: config.mode: \"fats\" is not known here; write one of fast, thorough; did you mean fast?",
            "sample.yaml:11:10: config.night: 3 does not fit here; write one of fast, thorough, or leave the key out",
            "sample.yaml:12:19: config.engine.kind: \"locall\" is not known here; write one of none, local; did you mean local?",
            "sample.yaml:13:22: config.api_key.secret: there is no secret `NONE`; give it as a systemd credential (LoadCredential=NONE:FILE), or as `DATA/secrets/NONE` with mode 600",
            "sample.yaml:14:11: config.labels: a list does not fit here; write keys below it, indented, as `name: value`",
            "sample.yaml:16:16: config.cut.before_ms: -1 is out of range; write a whole number from 0 to 4294967295",
            "sample.yaml:17:15: config.cut.after_ms: \"soon\" is not a whole number; write a whole number",
            "sample.yaml:18:5: config.cut.aftr_ms: there is no such key; did you mean config.cut.after_ms?",
            "sample.yaml:19:9: config.most: 256 is out of range; write a whole number from 0 to 255 per hour",
            "sample.yaml:20:25: config.max_concurrent_tasks: 65 is out of range; write a whole number from 1 to 64",
        ]
    );
}

#[test]
fn broken_yaml_is_one_problem_with_its_place() {
    for (text, line) in [
        ("name: sample\nconfig: [a\n", None),
        ("name: sample\n  version: 1\n", Some(2)),
        ("name: sample\nname: sample\n", Some(2)),
        ("a: &a [1]\nb: *c\n", Some(2)),
    ] {
        let (_dir, site) = site(text);
        let problems = load(&site, &SAMPLE).unwrap_err();
        assert!(problems.enabled);
        let [only] = &problems.problems[..] else { panic!("{text}: {problems:?}") };
        assert!(only.line.is_some() && only.column.is_some(), "{text}: {only}");
        assert!(line.is_none() || only.line == line, "{text}: {only}");
    }
}

#[test]
fn files_that_are_none() {
    let (_dir, site) = empty_site();
    let path = site.settings_dir.join("sample.yaml");
    fs::create_dir(&path).unwrap();
    assert!(told(&site, &load(&site, &SAMPLE).unwrap_err().problems)[0].contains("it is no file"));
    fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    assert!(told(&site, &load(&site, &SAMPLE).unwrap_err().problems)[0].contains("cannot be read"));
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"name: sample\n\xff").unwrap();
    assert!(told(&site, &load(&site, &SAMPLE).unwrap_err().problems)[0].contains("line 2 is not UTF-8"));
    fs::write(&path, vec![b' '; 2 << 20]).unwrap();
    assert!(told(&site, &load(&site, &SAMPLE).unwrap_err().problems)[0].contains("longer than 1 MiB"));
    for whole in ["", "[]", "hello", "1"] {
        fs::write(&path, whole).unwrap();
        assert!(load(&site, &SAMPLE).is_err(), "{whole:?}");
    }
}

#[test]
fn a_name_that_is_a_path_is_never_followed() {
    let (dir, site) = empty_site();
    let secret = dir.path().join("outside.yaml");
    fs::write(&secret, EXAMPLE).unwrap();
    for name in ["../outside", "..", "", "a/b", "Sample", "sample.yaml"] {
        let bad = Descriptor { name, ..SAMPLE };
        let unusable = load(&site, &bad).unwrap_err();
        assert!(unusable.problems[0].what.contains("is no name for a plugin"), "{unusable}");
        assert!(set_enabled(&site, &bad, false).is_err());
    }
    assert_eq!(fs::read_to_string(secret).unwrap(), EXAMPLE);
    assert_eq!(fs::read_dir(&site.settings_dir).unwrap().count(), 0);
}

#[test]
fn what_another_version_wrote() {
    let newer = wrong("name: sample\nversion: \"2.0.0\"\n");
    assert_eq!(
        newer,
        [
            "sample.yaml:2:10: version: the version 2.0.0 of the plugin wrote this, and this is 1.4.0; compare it \
          with `panotti plugins show sample`, then write \"1.4.0\""
        ]
    );
    let older = "name: sample\nversion: \"0.9.0\"\nconfig: { colour: red }\n";
    let told = wrong(older);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("the version 0.9.0 of the plugin wrote this; in 1.4.0 keys may differ"));
    assert!(wrong("name: sample\nversion: 1.4\n")[0].contains("put it in quotes: \"1.4\""));
    assert!(wrong("name: sample\nversion: one\n")[0].contains("write \"1.4.0\""));
    assert!(wrong("name: sample\n")[0].contains("it is missing; write `version:` and text"));
    assert!(wrong("name: other\nversion: \"1.4.0\"\n")[0].contains("these are the settings of \"other\""));
    for fits in ["0.9.0", "1.0.0", "1.9.9", "1.4.0-beta.1"] {
        let (_dir, site) = site(&format!("name: sample\nversion: \"{fits}\"\n"));
        assert!(load(&site, &SAMPLE).is_ok(), "{fits}");
    }
}

#[test]
fn what_is_not_to_run_says_so_and_needs_no_secret() {
    let (_dir, site) =
        site("name: sample\nversion: \"1.4.0\"\nenabled: false\nconfig: { api_key: { secret: NONE } }\n");
    assert!(!load(&site, &SAMPLE).unwrap().enabled);
    let problems = match set_enabled(&site, &SAMPLE, true).unwrap_err() {
        Error::Settings { problems, .. } => told(&site, &problems),
        other => panic!("{other}"),
    };
    assert!(problems[0].contains("there is no secret `NONE`"), "{problems:?}");
    assert!(!load(&site, &SAMPLE).unwrap().enabled);
    let unusable = wrong("name: sample\nversion: \"1.4.0\"\nenabled: false\nconfig: { a: 1, b: 2 }\n");
    assert_eq!(unusable.len(), 2);
}

#[test]
fn variables_are_judged_too() {
    let (_dir, site) = empty_site();
    let site = with_env(
        site,
        &[
            ("PANOTTI_PLUGIN_SAMPLE__THRESHOLD", "high"),
            ("PANOTTI_PLUGIN_SAMPLE__CUT__BEFOR_MS", "1"),
            ("PANOTTI_PLUGIN_SAMPLE__ENABLED", "perhaps"),
            ("PANOTTI_PLUGIN_SAMPLE__ZZZ", "1"),
        ],
    );
    assert_eq!(
        told(&site, &load(&site, &SAMPLE).unwrap_err().problems),
        [
            "PANOTTI_PLUGIN_SAMPLE__THRESHOLD: config.threshold: \"high\" is not a number; write a number from 0 to 1",
            "PANOTTI_PLUGIN_SAMPLE__ENABLED: enabled: \"perhaps\" is neither true nor false; write true or false",
            "PANOTTI_PLUGIN_SAMPLE__CUT__BEFOR_MS: this variable matches no key; did you mean PANOTTI_PLUGIN_SAMPLE__CUT__BEFORE_MS?",
            "PANOTTI_PLUGIN_SAMPLE__ZZZ: this variable matches no key; unset it, or name it after a key of the plugin",
        ]
    );
}

#[test]
fn what_belongs_to_no_plugin() {
    let (_dir, site) = empty_site();
    for file in
        ["sample.yaml", "sampel.yaml", "notes.yaml", "sample.yml", "zebra.yaml", "x.txt", ".hidden.yaml"]
    {
        fs::write(site.settings_dir.join(file), "broken: [").unwrap();
    }
    let site = with_env(
        site,
        &[
            ("PANOTTI_PLUGIN_SAMPLE__MODE", "fast"),
            ("PANOTTI_PLUGIN_SAMPLE_MODE", "fast"),
            ("PANOTTI_PLUGIN_NOTES__X", "1"),
            ("PANOTTI_PLUGIN_SAMPLE", "1"),
            ("PANOTTI_PLUGINS__DIR", "/x"),
        ],
    );
    let known = [Known { name: "notes", feature: "plugin-notes" }];
    assert_eq!(
        told(&site, &strangers::find(&site, &[SAMPLE], &known)),
        [
            "notes.yaml: the plugin notes is not in this binary; build it with the cargo feature `plugin-notes`, or remove this",
            "sampel.yaml: there is no plugin sampel; did you mean sample?",
            "sample.yml: the file is not looked at; rename it to sample.yaml",
            "zebra.yaml: there is no plugin zebra; remove it; there are sample",
            "PANOTTI_PLUGIN_NOTES__X: the plugin notes is not in this binary; build it with the cargo feature `plugin-notes`, or remove this",
            "PANOTTI_PLUGIN_SAMPLE: this variable names no key; name it PANOTTI_PLUGIN_SAMPLE__<KEY>",
            "PANOTTI_PLUGIN_SAMPLE_MODE: there is no plugin sample_mode; did you mean sample?",
        ]
    );
}

#[test]
fn a_folder_as_it_should_be_has_no_strangers() {
    let (_dir, site) = site(EXAMPLE);
    let site = with_env(site, &[("PANOTTI_PLUGIN_SAMPLE__MODE", "fast")]);
    assert_eq!(strangers(&site, &[SAMPLE]), []);
}

#[test]
fn a_schema_that_is_not_understood_is_told() {
    fn odd() -> Value {
        json!({ "type": "object", "properties": { "a": { "type": "string", "if": {} }, "timeout_s": {} } })
    }
    let (_dir, site) = empty_site();
    let bad = Descriptor { config_schema: odd, example: "name: sample\nversion: \"1.4.0\"\n", ..SAMPLE };
    let told = told(&site, &load(&site, &bad).unwrap_err().problems);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("`timeout_s` is a setting that every plugin has"));
    assert!(told[1].contains("its schema says `if`"));
}
