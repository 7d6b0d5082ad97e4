//! whisper.cpp's own command line and server, on the same model, threads and sound.

use std::{
    io::{Cursor, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::common::{Sentence, THREADS, median, row, seconds};

const PORT: u16 = 54_790;

/// A program of the built tree that `WHISPER_CPP` names.
fn program(name: &str) -> Option<PathBuf> {
    let tree = std::env::var_os("WHISPER_CPP").map(PathBuf::from)?;
    Some(tree.join("build/bin").join(name))
}

/// A whole file, by its command line.
pub(crate) fn files(meeting: &Path, model: &Path) {
    let Some(cli) = program("whisper-cli") else { return };
    let length_s = f64::from(hound::WavReader::open(meeting).unwrap().duration()) / 16_000.0;
    for threads in ["1", "2"] {
        let mut command = Command::new(&cli);
        command.args(["-nt", "-np", "-t", threads, "-m"]).arg(model).arg("-f").arg(meeting);
        let factor = seconds(&mut command) / length_s;
        row(
            &format!("whisper.cpp's `whisper-cli`, {threads} thread(s)"),
            &format!("{factor:.3} of real time"),
        );
    }
}

/// Sentence by sentence, by its server.
pub(crate) fn server(meeting: &Path, sentences: &[Sentence], model: &Path) {
    let Some(server) = program("whisper-server") else { return };
    let mut server = Command::new(server)
        .args(["-t", THREADS, "--port", &PORT.to_string(), "-m"])
        .arg(model)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", PORT)).is_err() {
        assert!(Instant::now() < deadline, "whisper-server does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    let times = sentences.iter().map(|it| 1000.0 * ask(&cut(meeting, *it))).collect();
    row(
        "whisper.cpp's `whisper-server`, 1 thread: a whole sentence to its text, median",
        &format!("{:.0} ms", median(times)),
    );
    server.kill().ok();
    server.wait().ok();
}

/// One sentence as a WAV file.
fn cut(meeting: &Path, sentence: Sentence) -> Vec<u8> {
    let mut source = hound::WavReader::open(meeting).unwrap();
    let mut bytes = Cursor::new(Vec::new());
    let mut file = hound::WavWriter::new(&mut bytes, source.spec()).unwrap();
    let at = |seconds: f64| (seconds * 16_000.0) as u32;
    source.seek(at(sentence.from)).unwrap();
    for sample in source.samples::<i16>().take((at(sentence.to) - at(sentence.from)) as usize) {
        file.write_sample(sample.unwrap()).unwrap();
    }
    file.finalize().unwrap();
    bytes.into_inner()
}

/// Seconds from sending a sentence to having its text.
fn ask(wav: &[u8]) -> f64 {
    const BOUNDARY: &str = "panotti-benchmark";
    let mut body = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n").into_bytes();
    body.extend_from_slice(wav);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let began = Instant::now();
    let mut socket = TcpStream::connect(("127.0.0.1", PORT)).unwrap();
    write!(socket, "POST /inference HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
    socket.write_all(&body).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    began.elapsed().as_secs_f64()
}
