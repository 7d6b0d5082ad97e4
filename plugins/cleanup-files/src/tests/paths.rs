//! Which files may go: W-27 and W-28.

use std::os::unix::fs::symlink;

use super::*;
use crate::guard::{Guard, Refused};

#[test]
fn w28_an_id_that_is_part_of_other_names_removes_only_its_own_files() {
    let house = House::new(json!({}));
    let stays = [
        house.file("panotti.db"),
        house.file("cleaned_audio/20250117225532_mic.wav"),
        house.file("recordings/20250117225532/audio-0000.wav"),
        house.file("transcripts_local/2025_merged.md"),
    ];
    for (count, id) in ["db", "2025"].into_iter().enumerate() {
        let wav = house.file(&format!("cleaned_audio/{id}.wav"));
        house.deliver(ended(id, "device", &format!("{id}/")));
        house.deliver(cleaned(id, &wav));
        house.deliver(transcribed(id, Path::new("data/transcripts_local/none.md")));
        assert_eq!(house.wait(count + 1)[count]["cleaned_files"], json!([wav]));
        assert!(!wav.exists());
    }
    assert!(stays.iter().all(|it| it.exists()));
}

#[test]
fn w27_an_id_that_could_be_a_path_is_refused() {
    let house = House::new(json!({}));
    for id in ["", "..", "../../etc/x", "a/b"] {
        let error = house.bench.deliver(transcribed(id, Path::new("data/x"))).unwrap_err();
        assert!(error.to_string().contains("no id of a recording"), "{error}");
    }
    let told = house.named("cleanup_files.error");
    assert_eq!((told.len(), &told[1].payload["recording_id"]), (4, &json!("..")));
}

#[test]
fn w28_only_regular_files_that_really_lie_where_files_may_go() {
    let context = context();
    let data = context.resolve("data").unwrap();
    let outside = tempfile::tempdir().unwrap();
    let file = |path: &Path| {
        files::write(path, b"12345").unwrap();
        path.to_owned()
    };
    let guard = |include: &[&str], exclude: &[&str]| {
        let dirs = |of: &[&str]| of.iter().map(|it| (*it).to_owned()).collect();
        let config = Config { include_dirs: dirs(include), exclude_dirs: dirs(exclude), ..Config::default() };
        Guard::new(&context, &config).unwrap()
    };
    let refused = |guard: &Guard, path: &Path| match guard.check(path, "a") {
        Ok(_) => "may go",
        Err(Refused::Gone) => "gone",
        Err(Refused::NoFile) => "no file",
        Err(Refused::Outside) => "outside",
        Err(Refused::Excluded) => "excluded",
        Err(Refused::Foreign) => "foreign",
        Err(Refused::Io(_)) => "unreadable",
    };
    let usual = guard(&["data"], &["data/notes"]);
    let wav = file(&data.join("audio/a.wav"));
    assert_eq!(refused(&usual, &wav), "may go");
    assert_eq!(refused(&usual, &data.join("audio/none.wav")), "gone");
    assert_eq!(refused(&usual, &data.join("audio")), "no file");
    assert_eq!(refused(&usual, Path::new("audio/a.wav")), "outside");
    assert_eq!(refused(&usual, &data.join("notes/../audio/a.wav")), "outside");
    // Among the recordings: only in its own folder, and not in one whose name begins the same.
    assert_eq!(refused(&usual, &file(&data.join("recordings/a/audio-0000.wav"))), "may go");
    assert_eq!(refused(&usual, &file(&data.join("recordings/ab/audio-0000.wav"))), "foreign");
    assert_eq!(refused(&usual, &file(&data.join("recordings/a.wav"))), "foreign");
    // Links: to a file, to a folder, out and back in.
    let secret = file(&outside.path().join("secret"));
    assert_eq!(refused(&usual, &secret), "outside");
    symlink(&secret, data.join("audio/link.wav")).unwrap();
    assert_eq!(refused(&usual, &data.join("audio/link.wav")), "no file");
    symlink(outside.path(), data.join("audio/folder")).unwrap();
    assert_eq!(refused(&usual, &data.join("audio/folder/secret")), "outside");
    let notes = file(&data.join("notes/a.md"));
    symlink(data.join("notes"), data.join("audio/notes")).unwrap();
    assert_eq!(refused(&usual, &data.join("audio/notes/a.md")), "outside");
    // Excluded is excluded, however it is written.
    let whole = data.join("notes");
    for exclude in ["data/notes", "notes", "./notes/", whole.to_str().unwrap()] {
        assert_eq!(refused(&guard(&["data"], &[exclude]), &notes), "excluded", "{exclude}");
        assert_eq!(refused(&guard(&[data.to_str().unwrap()], &[exclude]), &notes), "excluded", "{exclude}");
    }
    assert_eq!(refused(&guard(&["data"], &["data/note"]), &notes), "may go", "a name is no prefix");
    assert_eq!(refused(&guard(&["data/audio"], &[]), &notes), "outside");
    // A directory of the settings may itself be reached by a link, as when the data lie on another disk.
    symlink(&data, outside.path().join("mnt")).unwrap();
    let by_link = outside.path().join("mnt");
    assert_eq!(
        refused(&guard(&[by_link.to_str().unwrap()], &["data/notes"]), &by_link.join("audio/a.wav")),
        "may go"
    );
    assert_eq!(refused(&guard(&[by_link.to_str().unwrap()], &["data/notes"]), &wav), "may go");
    assert_eq!(
        refused(&guard(&[by_link.to_str().unwrap()], &["data/notes"]), &by_link.join("notes/a.md")),
        "excluded"
    );
    usual.remove(&wav, "a").unwrap();
    assert!(!wav.exists() && secret.exists());
}

#[test]
fn directories_that_cannot_be_used_are_refused_by_name() {
    for (key, dirs) in [("include_dirs", json!(["../x"])), ("exclude_dirs", json!([""]))] {
        let mut bench = Bench::new(DESCRIPTOR).unwrap();
        let error = bench.configure(json!({ key: dirs })).start().map(drop).unwrap_err();
        assert!(format!("{error:?}").contains(key), "{error:?}");
    }
}
