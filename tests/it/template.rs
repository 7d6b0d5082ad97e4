//! The template for plugins outside this repository: a copy of it builds against this SDK and passes its
//! tests, and the page for authors shows what it shows.

use std::{fs, path::Path, process::Command};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Copies the template as an author would and points it at this SDK. Nothing is asked of the network: the
/// versions are those of this workspace.
#[test]
fn a_copy_of_the_template_passes_its_tests() {
    let copy = tempfile::tempdir().unwrap();
    let template = Path::new(ROOT).join("plugins/sdk/template");
    fs::create_dir(copy.path().join("src")).unwrap();
    for file in ["plugin.yaml.example", "src/lib.rs"] {
        fs::copy(template.join(file), copy.path().join(file)).unwrap();
    }
    let manifest = fs::read_to_string(template.join("Cargo.toml")).unwrap();
    let here = format!("path = {:?}", Path::new(ROOT).join("plugins/sdk"));
    let pointed = manifest.replace("path = \"../../panotti/plugins/sdk\"", &here);
    assert_eq!(pointed.matches(&here).count(), 2, "{pointed}");
    fs::write(copy.path().join("Cargo.toml"), pointed).unwrap();
    fs::copy(Path::new(ROOT).join("Cargo.lock"), copy.path().join("Cargo.lock")).unwrap();

    // A folder of its own: cargo holds the workspace's locked while it runs its tests.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("template");
    let output = Command::new(env!("CARGO"))
        .args(["test", "--offline", "--quiet"])
        .current_dir(copy.path())
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.contains("14 passed"), "{told}\n{errors}");
}

#[test]
fn the_page_shows_the_template_as_it_is() {
    let read = |it: &str| fs::read_to_string(Path::new(ROOT).join(it)).unwrap();
    let (page, code) = (read("plugins/sdk/README.md"), read("plugins/sdk/template/src/lib.rs"));
    let shown: Vec<_> =
        page.split("```rust,ignore\n").skip(1).filter_map(|it| it.split("```").next()).collect();
    assert!(!shown.is_empty());
    for block in shown {
        assert!(code.contains(block), "the template has no such lines:\n{block}");
    }
}
