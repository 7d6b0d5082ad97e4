//! The house rules, as tests. Each rule is a function from the tree to what breaks it, so that it is also
//! tried on a tree that does.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

/// Path from the root of the repository → text; nothing for a file that is no text.
type Tree = BTreeMap<String, Option<String>>;

/// What each module of the package may name; a whole path admits just that item. What is not listed may be
/// named by nobody but `main`. `config` and `status` speak of sample formats, plain data of `audio`.
const LAYERS: &[(&str, &[&str])] = &[
    ("config", &["audio::SampleFormat"]),
    ("status", &["audio::StreamFormat", "audio::SampleFormat"]),
    ("error_chain", &[]),
    ("features", &[]),
    ("systemd", &[]),
    ("logging", &["config", "systemd"]),
    ("live", &[]),
    ("audio", &["config", "error_chain", "status"]),
    ("speech", &["config", "error_chain", "status", "audio"]),
    ("event_log", &["config", "error_chain", "status"]),
    ("fuzzing", &["event_log::envelope"]),
    ("data_dir", &["config", "error_chain", "status", "event_log"]),
    ("bus", &["config", "error_chain", "status", "event_log"]),
    ("upkeep", &["config", "error_chain", "status", "event_log", "bus"]),
    ("plugins", &["config", "error_chain", "status", "speech", "event_log", "bus"]),
    ("security", &["config", "error_chain", "status", "event_log"]),
    ("recordings", &["config", "error_chain", "status", "audio", "speech", "event_log", "bus"]),
    ("pipeline", &["config", "error_chain", "status", "live", "audio", "speech", "event_log", "recordings"]),
    ("models", &["config", "error_chain", "speech", "event_log"]),
    (
        "http",
        &[
            "config",
            "error_chain",
            "features",
            "status",
            "live",
            "audio",
            "speech",
            "event_log",
            "bus",
            "plugins",
            "security",
            "recordings",
            "models",
        ],
    ),
    (
        "daemon",
        &[
            "config",
            "error_chain",
            "status",
            "systemd",
            "logging",
            "live",
            "audio",
            "speech",
            "event_log",
            "data_dir",
            "bus",
            "upkeep",
            "plugins",
            "security",
            "recordings",
            "models",
            "pipeline",
            "http",
        ],
    ),
    (
        "cli",
        &[
            "config",
            "error_chain",
            "features",
            "status",
            "systemd",
            "logging",
            "audio",
            "speech",
            "event_log",
            "data_dir",
            "bus",
            "upkeep",
            "plugins",
            "security",
            "recordings",
            "pipeline",
            "http",
            "models",
            "daemon",
        ],
    ),
];

/// Folders of `plugins` that are no plugins: what they are written with.
const LIBRARIES: [&str; 3] = ["sdk", "notes", "diarizer"];

const MOST_LINES: usize = 400;
const MOST_BYTES: u64 = 12 << 20;

/// Tracked files and those that would be tracked.
fn tree() -> Tree {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .expect("git lists the tree");
    assert!(listed.status.success(), "run the tests in a git checkout");
    String::from_utf8(listed.stdout)
        .expect("file names are UTF-8")
        .split('\0')
        .filter(|it| !it.is_empty() && root.join(it).is_file())
        .map(|it| (it.to_owned(), fs::read(root.join(it)).ok().and_then(|it| String::from_utf8(it).ok())))
        .collect()
}

fn sample(files: &[(&str, &str)]) -> Tree {
    files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned()))).collect()
}

fn rust(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    let texts = tree.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)));
    texts.filter(|it| it.0.ends_with(".rs"))
}

/// Path and text of every file of Rust.
pub(crate) fn sources() -> Vec<(String, String)> {
    rust(&tree()).map(|(path, text)| (path.to_owned(), text.to_owned())).collect()
}

/// The code of a file, without comments that take whole lines.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.filter(|it| !it.1.trim_start().starts_with("//"))
}

fn files(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in rust(tree) {
        if !text.starts_with("//!") {
            broken.push(format!("{path}: begin it with `//!` and what the file owns"));
        }
        let lines = text.lines().count();
        if lines > MOST_LINES {
            broken.push(format!("{path}: {lines} lines; split it, at most {MOST_LINES}"));
        }
        for (number, line) in code(text) {
            // Put together here, so that this file passes its own rule.
            for name in [concat!("to", "do!"), concat!("unimpl", "emented!")] {
                if line.contains(name) {
                    broken.push(format!("{path}:{number}: write what {name} stands for"));
                }
            }
        }
    }
    for (path, text) in tree {
        let name = path.rsplit('/').next().unwrap_or(path);
        let stem = name.split('.').next().unwrap_or(name);
        if ["_old", "_v2", "_new"].iter().any(|it| stem.ends_with(it)) || stem.contains("backup") {
            // A backup of the box itself is a subject, a backup of a file is not.
            if !["backup.rs", "backups.rs", "backup"].contains(&name) {
                broken.push(format!("{path}: keep one version; the old one is in git"));
            }
        }
        for (index, line) in text.iter().flat_map(|it| it.lines().enumerate()) {
            for folder in [concat!("/wo", "rk/"), concat!("/ro", "ot/")] {
                if line.contains(folder) && !path.ends_with("Cargo.lock") {
                    broken.push(format!(
                        "{path}:{}: {folder} is a path of one machine; make it relative",
                        index + 1
                    ));
                }
            }
        }
    }
    broken
}

/// What follows each `crate::`: `a::b`, or the items of a group.
fn named(text: &str) -> Vec<String> {
    let code: String = code(text).map(|it| it.1.trim()).collect::<Vec<_>>().join(" ");
    let is_name = |it: char| it.is_alphanumeric() || it == '_' || it == ':';
    let mut found = Vec::new();
    for (at, matched) in code.match_indices("crate::") {
        if code[..at].ends_with(|it: char| it.is_alphanumeric() || it == '_' || it == '$') {
            continue;
        }
        let rest = &code[at + matched.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push(rest.split(|it| !is_name(it)).next().unwrap_or_default().to_owned());
            continue;
        };
        let (mut depth, mut item) = (0_i32, String::new());
        for it in group.chars() {
            match it {
                '}' if depth == 0 => break,
                ',' if depth == 0 => found.push(std::mem::take(&mut item)),
                _ => {
                    depth += i32::from(it == '{') - i32::from(it == '}');
                    item.push(it);
                }
            }
        }
        found.push(item);
    }
    found.into_iter().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect()
}

fn layers(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in rust(tree) {
        let Some(inside) = path.strip_prefix("src/") else { continue };
        let module = inside.split(['/', '.']).next().unwrap_or(inside);
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let Some((_, allowed)) = LAYERS.iter().find(|it| it.0 == module) else {
            broken.push(format!(
                "{path}: give {module} its place in LAYERS of tests/it/tidy.rs and in src/lib.rs"
            ));
            continue;
        };
        for name in named(text) {
            let first = name.split("::").next().unwrap_or_default();
            let admits = |it: &str| it == first || name == it || name.starts_with(&format!("{it}::"));
            if first != module && !allowed.iter().any(|it| admits(it)) {
                broken.push(format!(
                    "{path}: {module} must not name crate::{name}; hand it in from above (daemon wires the parts)"
                ));
            }
        }
    }
    broken
}

/// Entries of a table of a TOML file, name and the rest of the line; and its comments, first word.
fn table<'a>(toml: &'a str, title: &str) -> (Vec<&'a str>, Vec<&'a str>) {
    let lines = toml.lines().skip_while(|it| *it != title).skip(1).take_while(|it| !it.starts_with('['));
    let (comments, entries): (Vec<_>, Vec<_>) = lines.partition(|it| it.starts_with('#'));
    let first =
        |it: &'a str| it.trim_start_matches("# ").split([' ', '=']).next().filter(|it| !it.is_empty());
    (entries.into_iter().filter_map(first).collect(), comments.into_iter().filter_map(first).collect())
}

fn features(tree: &Tree) -> Vec<String> {
    let Some(Some(manifest)) = tree.get("Cargo.toml") else { return vec!["Cargo.toml is missing".into()] };
    let (features, documented) = table(manifest, "[features]");
    let mut broken = Vec::new();
    for it in features.iter().filter(|it| **it != "default" && !documented.contains(it)) {
        broken.push(format!("Cargo.toml: document the feature {it} in the table above [features]'s entries"));
    }
    for it in documented.iter().filter(|it| **it != "feature" && !features.contains(it)) {
        broken.push(format!("Cargo.toml: the table of features names {it}, which there is not"));
    }
    let folder = |it: &str| Some(it.strip_prefix("plugins/")?.split_once('/')?.0.to_owned());
    let is_plugin = |it: &String| !LIBRARIES.contains(&it.as_str());
    let mut plugins: Vec<_> = tree.keys().filter_map(|it| folder(it)).filter(is_plugin).collect();
    plugins.dedup();
    for it in plugins.iter().filter(|it| !features.contains(&format!("plugin-{it}").as_str())) {
        broken.push(format!("plugins/{it}: add the feature plugin-{it} to Cargo.toml"));
    }
    for it in features.iter().filter_map(|it| it.strip_prefix("plugin-")) {
        if !plugins.iter().any(|folder| folder == it) {
            broken.push(format!("Cargo.toml: the feature plugin-{it} has no folder plugins/{it}; drop it"));
        }
    }
    broken.extend(plugins.iter().flat_map(|it| plugin(tree, it)));
    broken
}

/// Every plugin has what its users look for, is in the list, and passes what all plugins pass.
fn plugin(tree: &Tree, name: &str) -> Vec<String> {
    let folder = format!("plugins/{name}/");
    let mut broken = Vec::new();
    for file in ["README.md", "plugin.yaml.example"] {
        if !tree.contains_key(&format!("{folder}{file}")) {
            broken.push(format!("{folder}{file}: write it"));
        }
    }
    if !rust(tree).any(|it| it.0.starts_with(&folder) && it.1.contains("panotti_sdk::conformance!(")) {
        broken.push(format!("{folder}: let its tests call panotti_sdk::conformance!"));
    }
    let list = tree.get("src/plugins/list.rs").and_then(Option::as_deref).unwrap_or_default();
    let id = name.replace('-', "_");
    let entry = format!("#[cfg(feature = \"plugin-{name}\")]\n    panotti_{id}::DESCRIPTOR,");
    if !list.contains(&entry) {
        broken.push(format!("src/plugins/list.rs: add panotti_{id}::DESCRIPTOR to PLUGINS by its feature"));
    }
    if !list.contains(&format!("Known {{ name: \"{id}\", feature: \"plugin-{name}\" }}")) {
        broken.push(format!("src/plugins/list.rs: add {id} to KNOWN"));
    }
    broken
}

fn entrances(tree: &Tree) -> Vec<String> {
    let needed = [
        ("README.md", "make demo"),
        ("README.md", "make test"),
        (".ci/run", "make test"),
        ("Makefile", "demo:"),
        ("Makefile", "test:"),
    ];
    let has = |(path, text): (&str, &str)| {
        tree.get(path).and_then(Option::as_deref).is_some_and(|it| it.contains(text))
    };
    let missing = needed.into_iter().filter(|it| !has(*it));
    missing.map(|(path, text)| format!("{path}: it must name `{text}`")).collect()
}

/// Every module of the package stands in the code map.
fn map(tree: &Tree) -> Vec<String> {
    let Some(Some(lib)) = tree.get("src/lib.rs") else { return vec!["src/lib.rs is missing".into()] };
    let modules = lib.lines().filter_map(|it| it.strip_prefix("pub mod ")?.strip_suffix(';'));
    let missing = modules.filter(|it| !lib.contains(&format!("//! | `{it}` |")));
    missing.map(|it| format!("src/lib.rs: say in the code map what {it} owns")).collect()
}

fn holds(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn files_are_opened_by_their_purpose_and_small() {
    let long = format!("//! x\n{}", "\n".repeat(MOST_LINES));
    let work = concat!("//! x\nconst A: &str = \"/wo", "rk/x\";\nfn f() { to", "do!() }");
    let bad = [("src/a.rs", "fn f() {}"), ("src/b.rs", &long), ("src/c_old.rs", "//! x"), ("src/d.rs", work)];
    assert_eq!(files(&sample(&bad)).len(), 5, "{:#?}", files(&sample(&bad)));
    holds(&files(&tree()));
}

#[test]
fn no_module_names_one_above_it() {
    let bad = [
        ("src/pipeline.rs", "//! x\nuse crate::{config::Config, http::{self, x}};"),
        ("src/http/mod.rs", "//! x\nfn f() { crate::pipeline::start() }\n// crate::cli is only talked of"),
        ("src/config/mod.rs", "//! x\nuse crate::audio::{Capture};"),
        ("src/novel.rs", "//! x"),
    ];
    assert_eq!(layers(&sample(&bad)).len(), 4, "{:#?}", layers(&sample(&bad)));
    holds(&layers(&tree()));
}

#[test]
fn features_and_folders_are_in_step() {
    let manifest =
        "[features]\ndefault = []\n# feature  what\n# alsa  x\n# gone  x\nalsa = []\nplugin-a = []\n[x]\n";
    let bad = [("Cargo.toml", manifest), ("plugins/b/Cargo.toml", ""), ("plugins/sdk/Cargo.toml", "")];
    // Of the folder b five more are missing: README, example, tests, its entries in PLUGINS and KNOWN.
    assert_eq!(features(&sample(&bad)).len(), 9, "{:#?}", features(&sample(&bad)));
    holds(&features(&tree()));
}

#[test]
fn the_entrances_are_there() {
    assert_eq!(entrances(&sample(&[("README.md", "make demo")])).len(), 4);
    holds(&entrances(&tree()));
}

#[test]
fn the_code_map_is_complete() {
    assert_eq!(map(&sample(&[("src/lib.rs", "//! | `a` | x |\npub mod a;\npub mod b;\n")])).len(), 1);
    holds(&map(&tree()));
}

#[test]
fn no_file_is_large() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let size = |path: &String| fs::metadata(root.join(path)).map_or(0, |it| it.len());
    let large = tree().into_keys().filter(|it| size(it) > MOST_BYTES);
    holds(
        &large.map(|it| format!("{it}: more than 12 MB; keep it out of the repository")).collect::<Vec<_>>(),
    );
}
