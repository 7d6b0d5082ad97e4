//! A room without a sound card: a private PulseAudio with a null sink, heard through ALSA's pulse plugin
//! in real time; and ALSA devices that play a raw file. Owns their set-up; both are real libasound.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A virtual room: what is spoken into it is heard by the ALSA device `room`.
#[derive(Debug)]
pub(crate) struct Room {
    dir: TempDir,
    pulse: Child,
}

impl Room {
    /// A room of 16 kHz, one channel.
    pub(crate) fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pulse = spawn_server(dir.path());
        let room = Self { dir, pulse };
        std::fs::write(room.config(), "pcm.room { type pulse device \"room.monitor\" }\n").unwrap();
        room.wait_for_server();
        room
    }

    /// The sound server is gone at once, as after a crash.
    pub(crate) fn kill_server(&mut self) {
        self.pulse.kill().unwrap();
        self.pulse.wait().unwrap();
    }

    /// A killed server is started again.
    pub(crate) fn start_server(&mut self) {
        // What the dead one left would keep a new one from starting.
        std::fs::remove_dir_all(self.dir.path().join("pulse")).ok();
        self.pulse = spawn_server(self.dir.path());
        self.wait_for_server();
    }

    /// The server stands still, with all its connections open, until it is killed.
    pub(crate) fn freeze_server(&self) {
        let id = self.pulse.id().to_string();
        assert!(Command::new("kill").args(["-STOP", &id]).status().unwrap().success());
    }

    /// While the room is suspended, its devices stay open and deliver nothing.
    pub(crate) fn suspend(&self, yes: bool) {
        let mut pactl = Command::new("pactl");
        pactl.args(["suspend-sink", "room", if yes { "1" } else { "0" }]);
        assert!(in_dir(&mut pactl, self.dir.path()).status().unwrap().success());
    }

    fn wait_for_server(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !in_dir(Command::new("pactl").arg("info"), self.dir.path()).status().unwrap().success() {
            assert!(Instant::now() < deadline, "PulseAudio does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("asound.conf")
    }

    /// What a box in this room needs in its environment.
    pub(crate) fn environment(&self) -> [(&'static str, String); 3] {
        [
            ("ALSA_CONFIG_PATH", alsa_config_path(&self.config())),
            ("PULSE_SERVER", format!("unix:{}/pulse/native", self.dir.path().display())),
            ("XDG_RUNTIME_DIR", self.dir.path().display().to_string()),
        ]
    }

    /// Speaks a WAV file into the room, in real time; ends when it has been said.
    pub(crate) fn speak(&self, wav: &Path) -> Child {
        let mut play = Command::new("paplay");
        play.arg("--device=room").arg(wav);
        in_dir(&mut play, self.dir.path()).stderr(Stdio::inherit()).spawn().unwrap()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.pulse.kill().ok();
        self.pulse.wait().ok();
    }
}

fn spawn_server(dir: &Path) -> Child {
    let mut pulse = Command::new("pulseaudio");
    pulse
        .args(["--daemonize=no", "--exit-idle-time=-1", "-n"])
        .args(["-L", "module-native-protocol-unix auth-anonymous=1"])
        .args(["-L", "module-null-sink sink_name=room rate=16000 channels=1"]);
    in_dir(&mut pulse, dir).spawn().expect("pulseaudio is needed: `make setup` installs it")
}

fn in_dir<'a>(command: &'a mut Command, dir: &Path) -> &'a mut Command {
    command
        .env("XDG_RUNTIME_DIR", dir)
        .env("HOME", dir)
        .env("PULSE_SERVER", format!("unix:{}/pulse/native", dir.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

/// An ALSA device that plays a raw file, faster than in real time at first; in any format.
pub(crate) fn file_device(name: &str, file: &Path) -> String {
    format!(
        "pcm.{name} {{ type file slave.pcm \"null\" file \"/dev/null\" infile \"{}\" format \"raw\" }}\n",
        file.display()
    )
}

/// ALSA's own configuration, then ours.
pub(crate) fn alsa_config_path(ours: &Path) -> String {
    format!("/usr/share/alsa/alsa.conf:{}", ours.display())
}

/// How well `heard` holds what was played: the frame at which it begins, and the correlation there.
pub(crate) fn find(played: &[f32], heard: &[f32]) -> (usize, f64) {
    // Coarse: by loudness in steps of 10 ms; fine: sample by sample around the best step, over two seconds.
    const STEP: usize = 160;
    let loudness = |it: &[f32]| -> Vec<f32> {
        it.chunks(STEP).map(|step| step.iter().map(|s| s.powi(2)).sum::<f32>().sqrt()).collect()
    };
    let best = |places: std::ops::Range<usize>, piece: &[f32], whole: &[f32]| {
        let likeness = |at: &usize| correlation(piece, &whole[(*at).min(whole.len())..]);
        places.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap_or(0)
    };
    let (short, long) = (loudness(played), loudness(heard));
    let step = best(0..long.len().saturating_sub(short.len()) + 1, &short, &long) * STEP;
    let piece = &played[..played.len().min(2 * 16_000)];
    let at = best(step.saturating_sub(2 * STEP)..step + 2 * STEP, piece, heard);
    (at, correlation(played, &heard[at.min(heard.len())..]))
}

/// Normalised correlation of two signals at the same place, over the length of the first.
fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let b: Vec<f32> = b.iter().copied().chain(std::iter::repeat(0.0)).take(a.len()).collect();
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, &b) / (dot(a, a) * dot(&b, &b)).sqrt().max(1e-9)
}
