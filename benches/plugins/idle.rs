//! Starting and stopping many plugins, and what they hold while nothing happens. Memory is looked at in a
//! process of its own, where nothing else has been done.

use std::{env, fs, path::Path, process::Command, time::Duration};

use super::{World, many, ms, on_a_runtime, row};

/// Set for the process in which memory is looked at.
pub(super) const CHILD: &str = "PANOTTI_BENCH_IDLE";

const PLUGINS: usize = 50;
/// Starts of which the one in the middle is told.
const STARTS: usize = 9;

pub(super) fn start(dir: &Path) {
    let (mut first, mut later, mut stop) = (Vec::new(), Vec::new(), Vec::new());
    let descriptors = many::descriptors(PLUGINS);
    for _ in 0..STARTS {
        let place = dir.join("start");
        for times in [&mut first, &mut later] {
            let (started_in, stopped_in) = on_a_runtime(async {
                let world = World::new(&place, descriptors).await;
                (world.started_in, world.stop().await)
            });
            times.push(started_in);
            stop.push(stopped_in);
        }
        fs::remove_dir_all(place).unwrap();
    }
    let both = |mut of: Vec<Duration>| format!("{:.0} / {:.0}", ms(&mut of, 0.5), ms(&mut of, 1.0));
    row(&format!("{PLUGINS} plugins, settings read to all running: median / longest, ms"), &both(later), "");
    row("the same at the first start, which writes their settings files", &both(first), "");
    row(&format!("{PLUGINS} plugins stopped: median / longest, ms"), &both(stop), "");
}

/// Resident memory of this process, KiB.
fn resident_kib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Prints what an idle plugin adds, KiB: resident, and counted or `-`.
pub(super) fn child(dir: &Path) {
    on_a_runtime(async {
        // The first one pays for what all share.
        let place = |name: &str| dir.join(name);
        let one = World::new(&place("one"), many::descriptors(1)).await;
        let with_one = resident_kib();
        let many = World::new(&place("many"), many::descriptors(PLUGINS)).await;
        let each = (resident_kib() - with_one) / PLUGINS as f64;
        // By place in the list: the first counts together with the one of the other host.
        let counted: Option<u64> = many.list().iter().skip(1).map(|it| it.memory_bytes).sum();
        let counted = counted.map(|it| format!("{:.1}", it as f64 / 1024.0 / (PLUGINS - 1) as f64));
        println!("{each:.0} {}", counted.as_deref().unwrap_or("-"));
        many.stop().await;
        one.stop().await;
    });
}

pub(super) fn memory() {
    let run = || {
        let output = Command::new(env::current_exe().unwrap()).env(CHILD, "1").output().unwrap();
        assert!(output.status.success(), "{}", output.stderr.escape_ascii());
        let text = String::from_utf8(output.stdout).unwrap();
        let (resident, counted) = text.trim().split_once(' ').unwrap();
        (resident.parse::<u64>().unwrap(), counted.to_owned())
    };
    let mut runs: Vec<_> = (0..STARTS).map(|_| run()).collect();
    runs.sort();
    let (resident, counted) = &runs[STARTS / 2];
    row(
        &format!("an idle plugin adds, KiB, median: resident (of {PLUGINS}) / counted by its thread"),
        &format!("{resident} / {counted}"),
        "",
    );
}
