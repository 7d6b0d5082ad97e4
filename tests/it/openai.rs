//! OpenAI's API, with the official client from PyPI and with raw connections: what clients send, what they
//! do to a box, and that nothing of theirs is left.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    path::{Path, PathBuf},
};

use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::{
    browser::Browser,
    clients,
    harness::{KEY, Panotti, Setup, demo_model, fixture, panotti},
};

const BOUNDARY: &str = "between-the-parts";

/// What `ex03.wav` says.
const SENTENCE: &str = "Our supplier complained about the documentation status.";

/// A form with `wav` as its file, and these fields.
fn form(wav: &[u8], fields: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.as_bytes());
    }
    let head = "Content-Disposition: form-data; name=\"file\"; filename=\"a.wav\"";
    body.extend(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes());
    body.extend(wav);
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    body
}

/// `meeting_picked.wav` so many times.
fn long(times: usize) -> Vec<u8> {
    let mut reader = hound::WavReader::open(fixture("speech/meeting_picked.wav")).unwrap();
    let (spec, samples) = (reader.spec(), reader.samples::<i16>().map(Result::unwrap).collect::<Vec<_>>());
    let mut wav = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut wav, spec).unwrap();
    for _ in 0..times {
        let mut block = writer.get_i16_writer(samples.len() as u32);
        samples.iter().for_each(|it| block.write_sample(*it));
        block.flush().unwrap();
    }
    writer.finalize().unwrap();
    wav.into_inner()
}

fn quiet() -> Setup {
    Setup::hearing_wav(&fixture("speech/silence0.wav"))
}

impl Panotti {
    fn upload(&self, wav: &[u8], fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = self.request("POST", "/v1/audio/transcriptions").header("content-type", kind);
        request.body(form(wav, &[&[("model", "whisper-1")], fields].concat()))
    }

    /// Status and body of a file that is sent.
    async fn transcribe(&self, wav: &[u8], fields: &[(&str, &str)]) -> (u16, Value) {
        let answer = self.upload(wav, fields).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    fn uploads(&self) -> Vec<PathBuf> {
        let found = std::fs::read_dir(self.data_dir().join("uploads"));
        found.into_iter().flatten().map(|it| it.unwrap().path()).collect()
    }

    async fn cleared(&self) {
        self.until("no file of a client is left", async || self.uploads().is_empty().then_some(())).await;
    }

    /// Most memory the process has had so far, bytes.
    fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// A connection that has sent the headers of a form of `length` bytes.
    fn begin(&self, length: usize) -> TcpStream {
        let mut connection = TcpStream::connect(self.address).unwrap();
        let head = format!(
            "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: box\r\nAuthorization: Bearer {KEY}\r\n\
             Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).unwrap();
        connection
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_client() {
    let setup = quiet();
    let data_dir = setup.data_dir();
    let made = panotti(&["key", "create", "Tablet", "--role", "viewer", "--data-dir"])
        .arg(&data_dir)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", made.stderr.escape_ascii());
    let viewer = String::from_utf8(made.stdout).unwrap();
    let it = setup.start();
    it.wait_events("model.loaded", 1).await;
    let model = demo_model().file_stem().unwrap().to_str().unwrap().to_owned();
    let mut client = clients::python("openai_client.py");
    client
        .args([&it.url(""), KEY, viewer.trim(), &model])
        .arg(fixture("speech/ex03.wav"))
        .arg(SENTENCE)
        .arg(fixture("speech/meeting_picked.wav"));
    let said = tokio::task::spawn_blocking(move || client.output().unwrap()).await.unwrap();
    let (told, error) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success(), "{told}\n{error}\n{}", it.log());
    it.cleared().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_that_cannot_be_written_down() {
    let it = quiet().start();
    let sentence = std::fs::read(fixture("speech/ex03.wav")).unwrap();
    let silence = std::fs::read(fixture("speech/silence0.wav")).unwrap();
    for (wav, status, text) in [
        (&b"a letter, not a sound"[..], 400, None),
        (&sentence[..20], 400, None),
        // A header and nothing else.
        (&sentence[..44], 200, Some("")),
        (&silence[..], 200, Some("")),
        (&sentence[..], 200, Some(SENTENCE)),
    ] {
        let (answered, body) = it.transcribe(wav, &[]).await;
        assert_eq!((answered, body["text"].as_str()), (status, text), "{} bytes: {body}", wav.len());
        let error = body["error"]["message"].as_str().unwrap_or_default();
        assert!(!error.contains("uploads"), "the box's own path is of no use: {error}");
        assert_eq!(error.is_empty(), status == 200);
    }
    it.cleared().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model() {
    let it = quiet().set("PANOTTI_TRANSCRIPTION__MODEL", "").start();
    assert_eq!(it.get("/v1/models").await, json!({"object": "list", "data": []}));
    let (status, body) = it.transcribe(&std::fs::read(fixture("speech/ex03.wav")).unwrap(), &[]).await;
    assert_eq!((status, &body["error"]["type"]), (503, &json!("server_error")));
    assert!(body["error"]["message"].as_str().unwrap().contains("transcription.model"), "{body}");
    it.cleared().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_hang_up() {
    let it = quiet().start();
    let sentence = std::fs::read(fixture("speech/ex03.wav")).unwrap();
    assert_eq!(it.transcribe(&sentence, &[]).await.1["text"], SENTENCE);
    let before = it.peak_memory();

    // In the middle of the file.
    let whole = form(&sentence, &[("model", "whisper-1")]);
    let mut half = it.begin(whole.len());
    half.write_all(&whole[..whole.len() / 2]).unwrap();
    it.until("the file has begun", async || (it.uploads().len() == 1).then_some(())).await;
    half.shutdown(Shutdown::Both).unwrap();
    it.cleared().await;

    // While it is written down: hours of it, so that one that was not taken back would be in the way of
    // all others. Then one that waits for its turn behind another.
    let hours = long(120);
    let stream = async || {
        let answer = it.upload(&hours, &[("stream", "true")]).send().await.unwrap();
        let mut events = answer.bytes_stream();
        let first = events.next().await.unwrap().unwrap();
        assert!(first.starts_with(b"data: {\"type\":\"transcript.text.delta\""), "{}", first.escape_ascii());
        events
    };
    let reading = stream().await;
    let mut waiting = it.begin(whole.len());
    waiting.write_all(&whole).unwrap();
    it.until("both files are there", async || (it.uploads().len() == 2).then_some(())).await;
    waiting.shutdown(Shutdown::Both).unwrap();
    it.until("one file is left", async || (it.uploads().len() == 1).then_some(())).await;
    drop(reading);
    it.cleared().await;
    assert_eq!(it.transcribe(&sentence, &[]).await.1["text"], SENTENCE);

    // Neither a long file nor headers without an end are kept in memory.
    let mut endless = it.begin(hours.len());
    let begun = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"");
    endless.write_all(begun.as_bytes()).unwrap();
    // Its answer comes before it has sent all.
    endless.write_all(&vec![b'x'; hours.len() - begun.len()]).ok();
    let mut answer = Vec::new();
    endless.read_to_end(&mut answer).ok();
    let grown = it.peak_memory() - before;
    assert!(grown < hours.len() as u64 / 4, "{grown} bytes more for files of {}", hours.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_was_killed_clears_up() {
    let it = quiet().start();
    let whole = form(&std::fs::read(fixture("speech/ex03.wav")).unwrap(), &[("model", "whisper-1")]);
    let mut half = it.begin(whole.len());
    half.write_all(&whole[..whole.len() / 2]).unwrap();
    it.until("the file has begun", async || (it.uploads().len() == 1).then_some(())).await;
    let uploads = it.data_dir().join("uploads");
    let setup = it.kill();
    let left = |dir: &Path| std::fs::read_dir(dir).unwrap().count();
    assert_eq!(left(&uploads), 1, "what this is about");
    let it = setup.start();
    it.cleared().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn captions_go_first() {
    let it = Setup::hearing_wav(&fixture("speech/meeting_picked.wav")).start();
    let hours = long(120);
    // From here on the transcriber always has something to do.
    let answer = it.upload(&hours, &[("stream", "true")]).send().await.unwrap();
    let mut events = answer.bytes_stream();
    events.next().await.unwrap().unwrap();
    it.record("Meanwhile").await;
    it.wait_events("caption.published", 3).await;
    assert!(events.next().await.unwrap().unwrap().starts_with(b"data: "), "and the file goes on");
    assert_eq!(it.uploads().len(), 1, "it was not done before");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_docs_can_send_a_file() {
    let Some(browser) = Browser::open().await else { return };
    let it = quiet().start();
    browser.visit(&it.url("/docs/")).await;
    let operation = "#operations-openai-create_transcription";
    browser.click(&format!("{operation} .opblock-summary-control")).await;
    browser.click(&format!("{operation} .try-out__btn")).await;
    browser
        .until(&format!("document.querySelector('{operation} input[type=file]')?.checkVisibility()"))
        .await;
}
