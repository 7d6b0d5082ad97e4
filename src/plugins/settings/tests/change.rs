//! Changing settings: what is kept, what is refused, what the environment holds.

use super::*;

fn refused(site: &Site, result: Result<Revision, Error>) -> Vec<String> {
    match result {
        Err(Error::Settings { problems, .. }) => told(site, &problems),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_configuration_is_judged_and_kept() {
    let (_dir, site) = site(&EXAMPLE.replace("dependencies: []", "dependencies: [other]"));
    let now = load(&site, &SAMPLE).unwrap().shown;
    let new = json!({ "words": ["bye"], "timeout_s": 9, "cut": { "after_ms": 1 }, "mode": "fast" });
    let revision = revise(&site, &SAMPLE, &now, new).unwrap();
    assert_eq!(revision.changed, ["cut.after_ms", "timeout_s", "words"]);
    assert_eq!(revision.settings.timeout_s, 9);
    // Nothing is kept before it is said so.
    assert_eq!(load(&site, &SAMPLE).unwrap().timeout_s, 300);
    revision.write().unwrap();
    let kept = load(&site, &SAMPLE).unwrap();
    assert_eq!(kept, revision.settings);
    assert_eq!(kept.dependencies, ["other"]);
    let same = revise(&site, &SAMPLE, &kept.shown, kept.shown.clone()).unwrap();
    assert!(same.changed.is_empty());
    assert_eq!(fs::read_dir(&site.settings_dir).unwrap().count(), 1);
}

#[test]
fn what_is_wrong_names_no_line_of_the_file() {
    let (_dir, site) = site(EXAMPLE);
    let now = load(&site, &SAMPLE).unwrap().shown;
    let bad = json!({ "wrods": [], "mode": 1, "api_key": { "secret": "../x" }, "cut": null });
    assert_eq!(
        refused(&site, revise(&site, &SAMPLE, &now, bad)),
        [
            "config.api_key.secret: \"../x\" does not fit; write text that matches ^[A-Za-z0-9_-]{1,64}$",
            "config.mode: 1 is not known here; write one of fast, thorough",
            "config.wrods: there is no such key; did you mean config.words?",
        ]
        .map(str::to_owned)
        .to_vec()
    );
    for whole in [json!([]), json!("x"), json!(1)] {
        assert!(revise(&site, &SAMPLE, &now, whole.clone()).is_err(), "{whole}");
    }
    assert_eq!(text_of(&site), EXAMPLE);
}

#[test]
fn what_the_environment_sets_is_not_written() {
    let (_dir, site) = site(&EXAMPLE.replace("config:\n", "config:\n  mode: thorough\n"));
    let site = with_env(
        site,
        &[("PANOTTI_PLUGIN_SAMPLE__MODE", "fast"), ("PANOTTI_PLUGIN_SAMPLE__CUT__BEFORE_MS", "7")],
    );
    let now = load(&site, &SAMPLE).unwrap().shown;
    let mut new = now.clone();
    new["words"] = json!(["a", "b"]);
    let revision = revise(&site, &SAMPLE, &now, new.clone()).unwrap();
    assert_eq!(revision.changed, ["words"]);
    revision.write().unwrap();
    let alone = with_env(site.clone(), &[]);
    let kept = load(&alone, &SAMPLE).unwrap().shown;
    assert_eq!((&kept["mode"], &kept["cut"]["before_ms"]), (&json!("thorough"), &json!(100)));
    new["mode"] = json!("thorough");
    assert_eq!(
        refused(&site, revise(&site, &SAMPLE, &now, new)),
        [
            "config.mode: the environment variable PANOTTI_PLUGIN_SAMPLE__MODE sets it; unset the variable, or leave the key as it is"
        ]
    );
}

#[test]
fn enabling_and_disabling_is_kept() {
    let (_dir, site) = site(EXAMPLE);
    set_enabled(&site, &SAMPLE, false).unwrap();
    let off = load(&site, &SAMPLE).unwrap();
    assert!(!off.enabled);
    assert_eq!(off.config["words"], json!(["hello"]));
    set_enabled(&site, &SAMPLE, true).unwrap();
    assert!(load(&site, &SAMPLE).unwrap().enabled);
    let held = with_env(site, &[("PANOTTI_PLUGIN_SAMPLE__ENABLED", "true")]);
    let error = set_enabled(&held, &SAMPLE, false).unwrap_err();
    assert!(
        matches!(error, Error::Settings { problems, .. } if problems[0].what.contains("SAMPLE__ENABLED"))
    );
    set_enabled(&held, &SAMPLE, true).unwrap();
}

#[test]
fn broken_settings_can_be_disabled_and_keep_what_they_say() {
    let (_dir, site) =
        site("name: sample\nversion: \"1.4.0\"\nextra: 1\nconfig: { colour: [red, {a: b}] }\n");
    assert!(load(&site, &SAMPLE).unwrap_err().enabled);
    assert!(set_enabled(&site, &SAMPLE, true).is_err());
    set_enabled(&site, &SAMPLE, false).unwrap();
    let unusable = load(&site, &SAMPLE).unwrap_err();
    assert!(!unusable.enabled);
    assert_eq!(unusable.problems.len(), 2);
    assert!(text_of(&site).contains("colour:\n    - red\n    - a: b\n"), "{}", text_of(&site));
}

#[test]
fn a_configuration_that_could_not_be_read_back_is_refused() {
    fn anything() -> Value {
        json!({ "type": "object", "properties": { "any": {} } })
    }
    let (_dir, site) = site("name: sample\nversion: \"1.4.0\"\n");
    let open = Descriptor { config_schema: anything, ..SAMPLE };
    let mut deep = json!(1);
    for _ in 0..30 {
        deep = json!([deep]);
    }
    let told = refused(&site, revise(&site, &open, &Value::Null, json!({ "any": deep })));
    assert_eq!(told, ["config: it is too large or too deep for a settings file; write less"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let (_dir, site) = site(EXAMPLE);
    // Also for root: what stands in the way of the new file is a folder that is not empty.
    fs::create_dir_all(site.settings_dir.join("sample.yaml.new/x")).unwrap();
    let error = set_enabled(&site, &SAMPLE, false).unwrap_err();
    assert!(error.to_string().contains("set `plugins.dir` to another"), "{error}");
    assert_eq!(text_of(&site), EXAMPLE);
    // Nor can it be created; the example counts.
    fs::remove_file(site.settings_dir.join("sample.yaml")).unwrap();
    assert_eq!(load(&site, &SAMPLE).unwrap().config["words"], json!(["hello"]));
}

#[test]
fn a_link_in_the_way_is_not_written_through() {
    let (dir, site) = site(EXAMPLE);
    let other = dir.path().join("other");
    fs::write(&other, "precious").unwrap();
    std::os::unix::fs::symlink(&other, site.settings_dir.join("sample.yaml.new")).unwrap();
    set_enabled(&site, &SAMPLE, false).unwrap();
    assert_eq!(fs::read_to_string(other).unwrap(), "precious");
    assert!(!load(&site, &SAMPLE).unwrap().enabled);
}
