//! What only the system can do to us: refuse io_uring, and run out of disk. Each happens in a child
//! process, which is this test binary again.

use std::process::Command;

use super::*;

const DIR: &str = "PANOTTI_TEST_DIR";
const REFUSED: &str = "PANOTTI_TEST_REFUSED_SYSCALL";

fn child_args(test: &str) -> [String; 5] {
    let path = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
    ["--exact".into(), path, "--ignored".into(), "--nocapture".into(), "--test-threads=1".into()]
}

/// Runs `command` and checks that the one test in it ran and passed.
fn passes(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}{:?}", output.stderr.escape_ascii());
    text
}

#[test]
fn plain_is_plain_and_an_open_kernel_gives_io_uring() {
    let (backend, why) = Backend::probe(config::RecordBackend::Plain).unwrap();
    assert_eq!((backend, why.as_str()), (Backend::Plain, "ordinary writes, as configured"));
    match Backend::probe(config::RecordBackend::Auto).unwrap() {
        (Backend::IoUring, why) => assert!(why.contains("io_uring"), "{why}"),
        (Backend::Plain, why) => println!("This machine refuses io_uring: {why}"),
    }
}

#[test]
fn what_seccomp_refuses_is_done_without() {
    for syscall in [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        passes(child.args(child_args("child_without_io_uring")).env(REFUSED, syscall.to_string()));
    }
}

#[test]
#[ignore = "run by what_seccomp_refuses_is_done_without"]
fn child_without_io_uring() {
    refuse(std::env::var(REFUSED).unwrap().parse().unwrap());
    let (backend, why) = Backend::probe(config::RecordBackend::Auto).unwrap();
    assert_eq!(backend, Backend::Plain);
    assert!(why.starts_with("ordinary writes, because io_uring was refused: "), "{why}");
    let error = Backend::probe(config::RecordBackend::IoUring).unwrap_err();
    assert!(matches!(error, Error::NoIoUring(_)), "{error}");

    let dir = tempfile::tempdir().unwrap();
    let format = stream(SampleFormat::S16Le, 2);
    let bytes = frames(format, 9_000);
    let mut writer = WavWriter::create(dir.path(), format, &options(1), 0, backend).unwrap();
    write_all(&mut writer, &bytes);
    assert_eq!(audio(&writer.finish().unwrap()), bytes);
}

/// From now on this thread and its children get EPERM for `syscall`.
#[expect(unsafe_code, reason = "libc has prctl, and no crate in the tree has seccomp")]
fn refuse(syscall: u32) {
    let op = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        // seccomp_data.nr
        op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, syscall),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: the kernel copies the four instructions before the call returns.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) != 0
    };
    assert!(!refused, "{}", io::Error::last_os_error());
}

#[test]
fn a_full_disk_keeps_what_found_room() {
    if !rustix::process::geteuid().is_root() {
        println!("Skipped: mounting a small disk needs root.");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    passes(
        Command::new("unshare")
            .args(["--mount", "sh", "-ec", r#"mount -t tmpfs -o size=1m tmpfs "$0"; exec "$@""#])
            .arg(dir.path())
            .arg(std::env::current_exe().unwrap())
            .args(child_args("child_on_a_full_disk"))
            .env(DIR, dir.path()),
    );
}

#[test]
#[ignore = "run by a_full_disk_keeps_what_found_room"]
fn child_on_a_full_disk() {
    let dir = PathBuf::from(std::env::var_os(DIR).unwrap());
    let format = stream(SampleFormat::S24Le3, 2);
    // More than the disk takes; in one segment, and in several so that creating one may be what fails.
    for seconds in [3600, 1] {
        for backend in BACKENDS {
            let bytes = frames(format, 200_000);
            let mut writer = WavWriter::create(&dir, format, &options(seconds), 0, backend).unwrap();
            let error = bytes.chunks(960).find_map(|block| writer.write(block).err()).unwrap();
            assert!(matches!(error, Error::DiskFull { source: Some(_), .. }), "{backend:?}: {error}");
            let files = writer.finish().unwrap();
            let kept = audio(&files);
            assert!(kept.len() > 900_000 && bytes.starts_with(&kept), "{backend:?}: {}", kept.len());
            files.iter().for_each(|it| fs::remove_file(it).unwrap());
        }
    }
}
