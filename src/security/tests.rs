//! Keys in a real log: who is let in, who is not, and where a key can be found afterwards.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn keys(dir: &std::path::Path, admin: Option<&str>) -> Keys {
    Keys::new(EventLog::open(dir).unwrap(), admin.map(str::to_owned))
}

#[test]
fn a_key_lets_in_until_it_is_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let keys = keys(dir.path(), None);
    assert!(!keys.any().unwrap());
    let (principal, key) = keys.create("  Door panel ", Role::Operator).unwrap();
    assert_eq!((principal.name.as_str(), principal.role), ("Door panel", Role::Operator));
    assert!(keys.any().unwrap());
    assert_eq!(keys.verify(key.expose()).unwrap(), Some(principal.clone()));
    assert_eq!(keys.list().unwrap().len(), 1);

    assert_eq!(keys.revoke(&principal.key_id).unwrap(), principal);
    assert_eq!(keys.verify(key.expose()).unwrap(), None);
    assert!(!keys.any().unwrap());
    assert!(matches!(keys.revoke(&principal.key_id), Err(Error::Unknown(_))));
}

#[test]
fn what_is_nearly_a_key_does_not_let_in() {
    let dir = tempfile::tempdir().unwrap();
    let keys = keys(dir.path(), Some("s3cret"));
    let (_, key) = keys.create("a", Role::Viewer).unwrap();
    let key = key.expose();
    let mut last_changed = key.to_owned();
    let last = last_changed.pop().unwrap();
    last_changed.push(if last == '0' { '1' } else { '0' });
    let (id, _) = key.rsplit_once('_').unwrap();
    let table = [
        "",
        "s3cre",
        "s3cret ",
        " s3cret",
        "S3cret",
        "s3cret\0",
        "pk_",
        "pk__",
        &key[..key.len() - 1],
        &key.to_uppercase(),
        &last_changed,
        &format!("{key}0"),
        id,
        &format!("{id}_{}", "0".repeat(64)),
        "pk_00000000é0_",
        &"x".repeat(1 << 20),
    ];
    for wrong in table {
        assert_eq!(keys.verify(wrong).unwrap(), None, "{wrong:.80}");
    }
    assert_eq!(keys.verify("s3cret").unwrap().unwrap().role, Role::Admin);
    assert_eq!(keys.verify(key).unwrap().unwrap().role, Role::Viewer);
}

#[test]
fn an_empty_admin_key_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let keys = keys(dir.path(), Some(""));
    assert!(!keys.any().unwrap());
    assert_eq!(keys.verify("").unwrap(), None);
}

#[test]
fn changes_are_events_and_the_key_is_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let keys = keys(dir.path(), Some("the admin's key"));
    let (principal, key) = keys.create("a", Role::Admin).unwrap();
    keys.revoke(&principal.key_id).unwrap();
    let (_, kept) = keys.create("b", Role::Viewer).unwrap();
    let events = keys.log.read(0, 10, &panotti_sdk::Filter::default()).unwrap();
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["key.created", "key.revoked", "key.created"]);
    assert_eq!(events[0].context.source_plugin.as_deref(), Some("core"));
    assert_eq!(events[0].payload["key_id"], principal.key_id);
    let shown = format!("{keys:?} {key:?} {key} {:?}", keys.list().unwrap());
    drop(keys);
    let stored = std::fs::read(dir.path().join("data.mdb")).unwrap();
    for secret in [key.expose(), kept.expose(), "the admin's key"] {
        let tail = &secret.as_bytes()[secret.len().saturating_sub(64)..];
        assert!(!stored.windows(tail.len()).any(|window| window == tail));
        assert!(!shown.contains(secret));
    }
}

#[test]
fn names_and_roles() {
    let dir = tempfile::tempdir().unwrap();
    let keys = keys(dir.path(), None);
    for bad in ["", "  ", "a\nb", &"x".repeat(101)] {
        assert!(matches!(keys.create(bad, Role::Viewer), Err(Error::Name)), "{bad:?}");
    }
    for role in [Role::Viewer, Role::Operator, Role::Admin] {
        assert_eq!(role.to_string().parse::<Role>().unwrap(), role);
    }
    assert!("root".parse::<Role>().is_err());
    assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
}
