//! The table of events against the code: what is promised is published, and under no other name.

use std::{fs, path::Path};

use panotti_sdk::schema::Registry;

/// The code of the package, without its tests.
fn code(dir: &Path) -> String {
    let entries = fs::read_dir(dir).unwrap().map(|it| it.unwrap().path());
    let entries = entries.filter(|it| it.file_stem().is_none_or(|it| it != "tests"));
    entries
        .map(|it| if it.is_dir() { code(&it) } else { fs::read_to_string(&it).unwrap_or_default() })
        .collect()
}

/// Names and constants of the table, as it is written.
fn table() -> Vec<(String, String)> {
    let table = include_str!("../../plugins/sdk/src/names.rs");
    let entry = |line: &str| {
        let (constant, rest) = line.trim().split_once(" = \"")?;
        Some((rest.split_once("\": ")?.0.to_owned(), constant.to_owned()))
    };
    table.lines().filter_map(entry).collect()
}

#[test]
fn every_event_of_the_core_is_published_by_its_constant() {
    let (registry, table) = (Registry::core(), table());
    assert_eq!(table.len(), registry.known_names().count(), "{table:?}");
    let code = code(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    for schema in registry.schemas().filter(|it| it.owner == "core") {
        let name = schema.name.as_str();
        let (_, constant) = table.iter().find(|it| it.0 == name).unwrap();
        assert!(code.contains(&format!("names::{constant}")), "{name} is not published");
    }
}
