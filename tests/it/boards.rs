//! What boxes are made of: the board files and their place among the sources of settings, the systemd files,
//! and the Yocto layer, each held against what it is made from.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use panotti::config::{BOARDS, Board, Facts, Override, Sources, load, microphones};

use crate::harness::panotti;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn facts() -> Vec<(&'static Board, Facts)> {
    BOARDS.iter().map(|it| (it, it.facts().unwrap_or_else(|error| panic!("{}: {error}", it.name)))).collect()
}

#[test]
fn each_file_is_a_board_of_the_program() {
    let entries = fs::read_dir(root().join("board-configs")).unwrap().map(|it| it.unwrap().path());
    let yaml = entries.filter(|it| it.extension().is_some_and(|it| it == "yaml"));
    let mut stems: Vec<_> = yaml.map(|it| it.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    stems.retain(|it| it != "microphones");
    stems.sort();
    assert_eq!(stems, BOARDS.iter().map(|it| it.name).collect::<Vec<_>>(), "add it to src/config/board.rs");
}

#[test]
fn microphones_have_usb_ids() {
    let microphones = microphones().unwrap();
    assert!(!microphones.is_empty());
    for it in microphones {
        let (vendor, product) = it.usb.split_once(':').unwrap();
        let is_id = |it: &str| it.len() == 4 && u16::from_str_radix(it, 16).is_ok();
        assert!(is_id(vendor) && is_id(product) && it.source.starts_with("http"), "{it:?}");
    }
}

#[test]
fn boards_are_built_with_what_there_is() {
    let manifest = text("Cargo.toml");
    for (board, facts) in facts() {
        let build = &facts.build;
        for feature in build.features.iter().chain(&build.optional_features) {
            assert!(manifest.contains(&format!("\n{feature} = [")), "{}: no feature {feature}", board.name);
        }
        let mut rustc = Command::new("rustc");
        rustc.args(["--print", "target-cpus", "--target", &build.target]);
        let printed = rustc.output().expect("rustc is what built this");
        let cpus = String::from_utf8(printed.stdout).unwrap();
        let flags = format!("CARGO_TARGET_{}_RUSTFLAGS", build.target.to_uppercase().replace('-', "_"));
        let cpu = build.env[&flags].strip_prefix("-C target-cpu=").unwrap();
        let known = cpus.lines().any(|it| it.split_whitespace().next() == Some(cpu));
        assert!(known, "{}: rustc knows no {cpu} for {}", board.name, build.target);
        // What is shipped must not look at the machine it was built on.
        assert_eq!(build.env["GGML_NATIVE"], "OFF", "{}", board.name);
        let cuda = build.features.iter().any(|it| it == "cuda");
        assert_eq!(build.env.contains_key("CMAKE_CUDA_ARCHITECTURES"), cuda, "{}", board.name);
    }
}

/// The names in the last list of a table of `cross.toml`, without those it sets itself.
fn handed_on(toml: &str, target: &str) -> BTreeSet<String> {
    let title = format!("[target.{target}.env]");
    let table = toml.lines().skip_while(|it| *it != title).skip(1).take_while(|it| !it.starts_with('['));
    let quoted = table.filter_map(|it| it.trim().strip_prefix('"')?.strip_suffix("\","));
    quoted.filter(|it| !it.contains('=')).map(str::to_owned).collect()
}

#[test]
fn cross_builds_for_the_boards() {
    let toml = text("cross.toml");
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (_, facts) in facts() {
        wanted.entry(facts.build.target).or_default().extend(facts.build.env.into_keys());
    }
    for (target, variables) in &wanted {
        assert!(toml.contains(&format!("\n[target.{target}]\n")), "cross.toml: add [target.{target}]");
        assert_eq!(&handed_on(&toml, target), variables, "cross.toml: passthrough of {target}");
    }
    assert_eq!(toml.matches("\n[target.").count(), 2 * wanted.len(), "cross.toml has targets of no board");
}

fn resolved(
    file: &str,
    env: &[(&str, &str)],
    option: Option<&str>,
) -> Result<panotti::config::Loaded, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("panotti.yaml");
    fs::write(&path, file).unwrap();
    let env = env.iter().map(|it| (it.0.to_owned(), it.1.to_owned())).collect();
    let overrides = option.map(|it| Override::new("--board", "board", it)).into_iter().collect();
    load(&Sources { file: Some(path), env, overrides }).map_err(|it| it.to_string())
}

#[test]
fn the_site_wins_over_the_board() {
    let model = |it: &panotti::config::Loaded| it.config.transcription.model.clone().unwrap();
    let board = resolved("board: raspberrypi5\n", &[], None).unwrap();
    assert_eq!((model(&board).as_str(), board.config.audio.device.as_str()), ("base.en-q5_1", "hw:0"));
    assert_eq!(board.origins["transcription.model"].to_string(), "board raspberrypi5");
    let site = resolved("board: raspberrypi5\ntranscription: {model: mine}\n", &[], None).unwrap();
    assert_eq!(model(&site), "mine");
    let variable = [("PANOTTI_BOARD", "raspberrypi4-64"), ("PANOTTI_AUDIO__DEVICE", "hw:7")];
    let env = resolved("board: raspberrypi5\n", &variable, None).unwrap();
    assert_eq!((model(&env).as_str(), env.config.audio.device.as_str()), ("tiny.en-q5_1", "hw:7"));
    assert!(env.warnings.is_empty(), "{:?}", env.warnings);
    let option = resolved("board: raspberrypi5\n", &variable, Some("jetson-orin-nano")).unwrap();
    assert_eq!(model(&option), "small.en-q5_1");
    assert_eq!(option.origins["board"].to_string(), "--board");
}

#[test]
fn a_board_that_there_is_not_is_answered_with_those_there_are() {
    for (file, env, option, said) in [
        (
            "audio: {}\nboard: raspberypi5\n",
            None,
            None,
            "panotti.yaml:2:8: board: there is no board \"raspberypi5\"; did you mean raspberrypi5?",
        ),
        ("board: [a]\n", None, None, "board: this is no name of a board; known are generic-arm64,"),
        (
            "",
            Some("toaster"),
            None,
            "environment PANOTTI_BOARD: board: there is no board \"toaster\"; known are",
        ),
        ("", None, Some("jetson"), "--board: board: there is no board \"jetson\"; did you mean jetson-"),
    ] {
        let env: Vec<_> = env.iter().map(|it| ("PANOTTI_BOARD", *it)).collect();
        let problems = resolved(file, &env, option).unwrap_err();
        assert!(problems.contains(said) && problems.lines().count() == 1, "{problems}");
    }
    // Nothing written is no board.
    assert!(resolved("board:\n", &[("PANOTTI_BOARD", "")], None).unwrap().board.is_none());
}

#[test]
fn check_config_explains_a_board() {
    let dir = tempfile::tempdir().unwrap();
    let ran = |args: &[&str]| {
        let output = panotti(&["check-config"]).args(args).current_dir(&dir).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (printed, said) = ran(&["--board", "jetson-orin-nano"]);
    assert!(printed.starts_with("board: jetson-orin-nano  # --board\n"), "{printed}");
    assert!(printed.contains("model: \"small.en-q5_1\"  # board jetson-orin-nano\n"), "{printed}");
    assert_eq!(said.contains("without the feature cuda"), !cfg!(feature = "cuda"), "{said}");
    // What is printed is a file that comes to the same.
    let file = dir.path().join("again.yaml");
    fs::write(&file, &printed).unwrap();
    let (json, _) = ran(&["--json", "--config", file.to_str().unwrap()]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["board"], "jetson-orin-nano");
    assert_eq!(report["config"]["transcription"]["threads"], 4);
}

/// The installed file as it is, and with every example in it switched on.
#[test]
fn the_default_file_loads() {
    let shipped = text("board-configs/system/panotti.yaml");
    let plain = resolved(&shipped, &[], None).unwrap();
    assert!(plain.config == panotti::config::Config::default(), "it sets nothing by itself");
    let on = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') || rest.starts_with("  ") => rest.to_owned(),
        _ => line.to_owned(),
    };
    let all: Vec<_> = shipped.lines().map(on).collect();
    let loaded = resolved(&all.join("\n"), &[], None).unwrap();
    assert_eq!(loaded.board.unwrap().name, "raspberrypi5");
    assert!(loaded.origins.len() >= 6, "{:?}", loaded.origins);
}

/// A folder with the unit and these drop-ins, in which the program is where systemd looks for it.
fn unit(drop_ins: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let service = text("board-configs/system/panotti.service");
    let service = service.replace("/usr/bin/panotti", env!("CARGO_BIN_EXE_panotti"));
    fs::write(dir.path().join("panotti.service"), service).unwrap();
    fs::create_dir(dir.path().join("panotti.service.d")).unwrap();
    for it in drop_ins {
        let to = dir.path().join("panotti.service.d").join(it);
        fs::write(to, text(&format!("board-configs/system/{it}"))).unwrap();
    }
    dir
}

fn analyze(args: &[&str], path: &Path) -> (bool, String) {
    let output = Command::new("systemd-analyze")
        .args(args)
        .arg(path)
        .output()
        .expect("systemd-analyze runs; on Debian it is in the package systemd: apt install systemd");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// Exposure is told in tenths: 2.0 for boards without, 3.0 for boards with a GPU.
#[test]
fn the_unit_is_sound_and_shuts_the_service_in() {
    for (drop_ins, threshold) in [(&[][..], "20"), (&["gpu.conf"][..], "30")] {
        let dir = unit(drop_ins);
        let file = dir.path().join("panotti.service");
        let (good, said) = analyze(&["verify", "--man=no"], &file);
        assert!(good && said.trim().is_empty(), "{drop_ins:?}: {said}");
        let threshold = format!("--threshold={threshold}");
        let (good, said) = analyze(&["security", "--offline=true", "--no-pager", &threshold], &file);
        assert!(good && said.contains("Overall exposure level"), "{drop_ins:?}: {said}");
    }
    // That the threshold is one.
    let dir = tempfile::tempdir().unwrap();
    let open = dir.path().join("open.service");
    fs::write(&open, "[Service]\nExecStart=/bin/true\n").unwrap();
    assert!(!analyze(&["security", "--offline=true", "--no-pager", "--threshold=30"], &open).0);
}

/// What the filter lets through, by the groups as this machine's systemd has them.
fn allowed_calls(unit: &str) -> BTreeSet<String> {
    fn calls(of: &str, into: &mut BTreeSet<String>) {
        if !of.starts_with('@') {
            into.insert(of.to_owned());
            return;
        }
        let (good, said) = analyze(&["syscall-filter", "--no-pager"], Path::new(of));
        assert!(good, "{of}: {said}");
        let members = said.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#'));
        members.filter(|it| *it != of).for_each(|it| calls(it, into));
    }
    let mut allowed = BTreeSet::new();
    for line in unit.lines().filter_map(|it| it.strip_prefix("SystemCallFilter=")) {
        let mut named = BTreeSet::new();
        line.trim_start_matches('~').split_whitespace().for_each(|it| calls(it, &mut named));
        match line.starts_with('~') {
            true => allowed.retain(|it| !named.contains(it)),
            false => allowed.extend(named),
        }
    }
    allowed
}

#[test]
fn the_filter_lets_through_what_the_settings_need() {
    let allowed = allowed_calls(&text("board-configs/system/panotti.service"));
    // Real-time priority and what it falls back to; transcription.cores; sound cards, sockets, files.
    for needed in
        ["sched_setscheduler", "sched_setattr", "setpriority", "sched_setaffinity", "ioctl", "accept4"]
    {
        assert!(allowed.contains(needed), "{needed}");
    }
    for never in ["mount", "ptrace", "keyctl", "reboot", "setrlimit", "migrate_pages"] {
        assert!(!allowed.contains(never), "{never}");
    }
}

/// `RestartSteps` came with 254; older ones name it as unknown.
#[test]
fn the_backoff_is_sound_where_systemd_knows_it() {
    let (_, version) = analyze(&["--version"], Path::new("--no-pager"));
    let version: u32 = version.split_whitespace().nth(1).and_then(|it| it.parse().ok()).unwrap();
    let dir = unit(&["backoff.conf"]);
    let (_, said) = analyze(&["verify", "--man=no"], &dir.path().join("panotti.service"));
    if version >= 254 {
        assert!(said.trim().is_empty(), "{said}");
    } else {
        // Nothing but what it is too old for.
        assert!(said.lines().all(|it| it.contains("Unknown key") && it.contains("Restart")), "{said}");
    }
}

/// The units of the image, with a program in the place of those that are not on this machine.
#[test]
fn the_units_of_the_image_are_sound() {
    let files = root().join("yocto/meta-panotti/recipes-panotti/panotti-system/files");
    let dir = unit(&[]);
    let mut seen = 0;
    for path in fs::read_dir(files).unwrap().map(|it| it.unwrap().path()) {
        if !path.extension().is_some_and(|it| it == "mount" || it == "service") {
            continue;
        }
        let here = |line: &str| match line.split_once('=') {
            Some((key @ ("ExecStart" | "ExecStop"), _)) => format!("{key}=/bin/true\n"),
            _ => format!("{line}\n"),
        };
        let file = dir.path().join(path.file_name().unwrap());
        let unit: String = fs::read_to_string(&path).unwrap().lines().map(here).collect();
        fs::write(&file, unit).unwrap();
        let (good, said) = analyze(&["verify", "--man=no"], &file);
        assert!(good && said.trim().is_empty(), "{}: {said}", path.display());
        seen += 1;
    }
    assert!(seen >= 6, "{seen}");
}

const CRATES: &str = "yocto/meta-panotti/recipes-panotti/panotti/panotti-crates.inc";

/// What oe-core's `cargo-update-recipe-crates` makes of Cargo.lock, spaced as oelint wants it.
fn crates(lock: &str) -> String {
    let (mut uris, mut sums) = (String::new(), String::new());
    for package in lock.split("[[package]]").skip(1) {
        let value = |key: &str| {
            let line = package.lines().find_map(|it| it.strip_prefix(&format!("{key} = \"")))?;
            line.strip_suffix('"')
        };
        let Some(source) = value("source") else { continue };
        assert!(source.contains("crates.io"), "{source}: say in crates() how BitBake fetches it");
        let (name, version, sum) =
            (value("name").unwrap(), value("version").unwrap(), value("checksum").unwrap());
        uris.push_str(&format!("    crate://crates.io/{name}/{version} \\\n"));
        sums.push_str(&format!("SRC_URI[{name}-{version}.sha256sum] = \"{sum}\"\n"));
    }
    let head = "# From Cargo.lock, by `UPDATE_EXPECT=1 cargo test --test it -- boards`. Not to be edited.\n";
    format!("{head}SRC_URI += \"\\\n{uris}\"\n\n{sums}")
}

#[test]
fn yocto_fetches_the_crates_of_the_lock_file() {
    let wanted = crates(&text("Cargo.lock"));
    assert!(wanted.lines().count() > 200);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(root().join(CRATES), &wanted).unwrap();
    }
    assert!(text(CRATES) == wanted, "{CRATES} is behind Cargo.lock: run with UPDATE_EXPECT=1");
}

#[test]
fn yocto_builds_what_is_here() {
    let manifest = text("Cargo.toml");
    let version = manifest.lines().find_map(|it| it.strip_prefix("version = \"")?.strip_suffix('"')).unwrap();
    let recipe = text(&format!("yocto/meta-panotti/recipes-panotti/panotti/panotti_{version}.bb"));
    let choices = recipe.lines().filter_map(|it| it.strip_prefix("PACKAGECONFIG[")?.split_once(']'));
    let choices: BTreeSet<_> = choices
        .inspect(|(name, rest)| assert!(rest.contains(&format!("--features {name}")), "{name}"))
        .map(|it| it.0)
        .collect();
    let features = manifest.lines().skip_while(|it| *it != "[features]").skip(1);
    let features = features.take_while(|it| !it.starts_with('[')).filter(|it| !it.starts_with('#'));
    let features = features.filter_map(|it| it.split_once(" = [")).map(|it| it.0);
    // One switch for all plugins; a site that wants fewer names them in CARGO_BUILD_FLAGS.
    let features: BTreeSet<_> =
        features.filter(|it| *it != "default" && !it.starts_with("plugin-")).collect();
    assert_eq!(choices, features, "PACKAGECONFIG of the recipe and the features of Cargo.toml");
    for file in recipe.lines().filter_map(|it| it.split_once("\"$files/")).map(|it| it.1) {
        let file = file.split('"').next().unwrap();
        assert!(root().join("board-configs/system").join(file).exists(), "{file}");
    }
    let sum = Command::new("md5sum").arg(root().join("LICENSE")).output().expect("md5sum is of coreutils");
    let sum = String::from_utf8(sum.stdout).unwrap();
    let sum = sum.split_whitespace().next().unwrap();
    assert!(
        text("yocto/meta-panotti/recipes-panotti/panotti/panotti-source.inc").contains(sum),
        "md5 of LICENSE"
    );
}

#[test]
fn yocto_names_boards_that_there_are() {
    let recipe = text("yocto/meta-panotti/recipes-panotti/panotti-board/panotti-board_1.0.bb");
    let named =
        recipe.lines().filter(|it| it.starts_with("PANOTTI_BOARD")).map(|it| it.split('"').nth(1).unwrap());
    let named: Vec<_> = named.collect();
    assert!(named.len() >= 4, "{named:?}");
    for it in named {
        assert!(Board::find(it).is_some(), "{it}");
    }
}
