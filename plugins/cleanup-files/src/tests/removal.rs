//! Single removals: what cannot go, and what a power cut left half done.

use std::fs;

use super::*;
use crate::removal::Removal;

#[test]
fn what_cannot_be_removed_is_an_error_and_the_rest_goes() {
    let house = House::new(json!({}));
    let (good, bad) = (house.file("cleaned_audio/a.wav"), house.data.join("cleaned_audio/folder"));
    house.deliver(cleaned("a", &bad));
    house.deliver(cleaned("a", &good));
    house.deliver(transcribed("a", Path::new("data/a.md")));
    house.wait(1);
    assert!(!good.exists());
    // A removal that has begun, and where a link lies now.
    let worker = Worker::new(Config::default(), context());
    let guard = guard::Guard::new(&worker.context, &worker.config).unwrap();
    let folder = worker.context.recordings().unwrap().join("a");
    let mut manifest = Manifest::default();
    manifest.recording_id = "a".into();
    let paths: Vec<PathBuf> = ["1.wav", "2.wav"].iter().map(|it| folder.join(it)).collect();
    paths.iter().for_each(|it| files::write(it, b"12345").unwrap());
    let removal = Removal::of(&manifest, paths.clone(), &guard, None);
    fs::remove_file(&paths[1]).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &paths[1]).unwrap();
    let told = removal.carry_out(&guard, &worker.config);
    assert_eq!(told[0].payload()["cleanup_files"]["cleaned_files"], json!([paths[0]]));
    let said = told[1].payload()["cleanup_files"]["error"].as_str().unwrap();
    assert!(said.contains("2.wav: it is no regular file"), "{said}");
    assert!(paths[1].is_symlink());
}

#[test]
fn a_removal_that_a_power_cut_ended_is_told_whole() {
    let worker = Worker::new(Config::default(), context());
    let guard = guard::Guard::new(&worker.context, &worker.config).unwrap();
    let path = worker.context.recordings().unwrap().join("a/x.wav");
    files::write(&path, b"12345").unwrap();
    let mut manifest = Manifest::default();
    manifest.recording_id = "a".into();
    let removal = Removal::of(&manifest, vec![path.clone()], &guard, None);
    let told: Vec<Value> = [removal.clone(), removal]
        .into_iter()
        .map(|it| it.carry_out(&guard, &worker.config)[0].payload()["cleanup_files"].clone())
        .collect();
    assert!(!path.exists());
    assert_eq!(told[0]["cleaned_files"], told[1]["cleaned_files"]);
    assert_eq!((&told[0]["bytes"], &told[1]["bytes"]), (&json!(5), &json!(5)));
}

#[test]
fn a_removal_that_has_begun_is_finished_by_the_next_start() {
    let worker = Worker::new(Config::default(), context());
    let guard = guard::Guard::new(&worker.context, &worker.config).unwrap();
    let folder = worker.context.recordings().unwrap().join("a");
    let paths: Vec<PathBuf> = ["1.wav", "2.wav"].iter().map(|it| folder.join(it)).collect();
    paths.iter().for_each(|it| files::write(it, b"12345").unwrap());
    let mut manifest = Manifest::default();
    manifest.recording_id = "a".into();
    let removal = Removal::of(&manifest, paths.clone(), &guard, None);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(removal.begin(&worker.context, Outbox::new())).unwrap();
    assert_eq!(worker.context.state_keys("removal/", None).unwrap().len(), 1);
    // The power fails after the first file.
    fs::remove_file(&paths[0]).unwrap();
    runtime.block_on(worker.carry_out()).unwrap();
    assert!(paths.iter().all(|it| !it.exists()));
    assert!(worker.context.state_keys("removal/", None).unwrap().is_empty());
}
