//! A destination that is not there: a share that is not mounted, a disk that was pulled out.

use super::*;

fn degraded(house: &House) -> String {
    until("a problem", || match house.bench.health().unwrap() {
        Health::Degraded(problem) => Some(problem),
        Health::Healthy => None,
    })
}

fn healthy(house: &House) {
    until("health", || (house.bench.health().unwrap() == Health::Healthy).then_some(()));
}

#[test]
fn a_destination_that_is_away_is_told_once_and_filled_when_it_is_there() {
    let mut house = House::new(json!({}));
    let share = house.elsewhere.path().join("share");
    house.copies = share.join("copies");
    house.pair(json!({})).file("a.md", "one");
    house.start();
    assert!(degraded(&house).contains("nor the folder that it would lie in"));
    house.bench.start().unwrap();
    degraded(&house);
    let told = house.named("directory_sync.error");
    assert_eq!(
        (told.len(), &told[0].payload["directory_sync"]["config"]["destination"]),
        (1, &json!(house.copies))
    );
    assert!(!share.exists(), "no folder that looks like it is made");
    fs::create_dir(&share).unwrap();
    house.wait("a.md", "one");
    healthy(&house);
    assert_eq!(house.told(1), (1, 0));
    // It goes away again, with what was copied.
    fs::rename(&house.copies, house.elsewhere.path().join("unplugged")).unwrap();
    house.file("b.md", "two");
    assert!(degraded(&house).contains("is gone: mount its share"));
    assert!(!house.copies.exists());
    fs::rename(house.elsewhere.path().join("unplugged"), &house.copies).unwrap();
    house.wait("b.md", "two");
    healthy(&house);
    assert_eq!(house.named("directory_sync.error").len(), 2);
    assert_eq!(house.told(2), (2, 0), "what was there is not copied again");
}

#[test]
fn a_share_that_comes_back_is_told_even_when_there_is_nothing_to_copy() {
    let mut house = House::new(json!({}));
    house.file("a.md", "one");
    house.start().told(1);
    let (here, there) = (house.copies.clone(), house.elsewhere.path().join("unplugged"));
    fs::rename(&here, &there).unwrap();
    degraded(&house);
    fs::rename(&there, &here).unwrap();
    until("word of it", || (house.completed().len() == 2).then_some(()));
    assert_eq!(house.completed()[1].payload["directory_sync"]["copied"], 0);
}

#[test]
fn nothing_is_copied_to_the_empty_folder_of_an_unmounted_share() {
    let mut house = House::new(json!({}));
    fs::create_dir(&house.copies).unwrap();
    let mount_point = house.elsewhere.path().to_owned();
    house.pair(json!({ "mount_point": mount_point })).file("a.md", "one");
    house.start();
    assert!(degraded(&house).contains("nothing is mounted at"));
    assert_eq!(fs::read_dir(&house.copies).unwrap().count(), 0);
}

#[test]
fn a_destination_that_is_the_source_by_a_link_is_not_used() {
    let mut house = House::new(json!({}));
    house.file("a.md", "one");
    symlink(&house.notes, &house.copies).unwrap();
    house.start();
    assert!(degraded(&house).contains("the same place"));
    assert_eq!(fs::read_dir(&house.notes).unwrap().count(), 1);
}

#[test]
fn one_file_that_cannot_be_copied_does_not_hold_up_the_others() {
    let mut house = House::new(json!({}));
    house.file("a.md", "one");
    house.file("b.md", "two");
    files::write(&house.copies.join("a.md/x"), b"a folder of that name").unwrap();
    house.start().wait("b.md", "two");
    let problem = degraded(&house);
    assert!(problem.contains("a.md cannot be copied to"), "{problem}");
    assert!(house.copies.join("a.md/x").exists());
    fs::remove_dir_all(house.copies.join("a.md")).unwrap();
    house.wait("a.md", "one");
    healthy(&house);
}

#[test]
fn a_source_that_is_away_is_not_a_source_that_was_emptied() {
    let mut house = House::new(json!({ "delete": true }));
    house.file("a.md", "one");
    house.start().told(1);
    fs::rename(&house.notes, house.elsewhere.path().join("disk")).unwrap();
    house.bench.start().unwrap();
    house.bench.stop().unwrap();
    house.wait("a.md", "one");
    fs::rename(house.elsewhere.path().join("disk"), &house.notes).unwrap();
    house.start().file("b.md", "two");
    house.wait("b.md", "two");
    assert_eq!(house.told(2), (2, 0));
}
