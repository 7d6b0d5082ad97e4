//! A real browser: headless Chromium, driven through ChromeDriver. Owns starting both and the few commands
//! of W3C WebDriver (<https://www.w3.org/TR/webdriver2/>) that the tests use; leaves what is done on a page
//! to them.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// As Chromium runs without a screen, as root, and without a network of its own.
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--window-size=1280,800",
];

/// What a page says within this, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one window; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Browser {
    driver: Child,
    session: String,
    http: reqwest::Client,
    dir: TempDir,
}

impl Browser {
    /// Starts one with an empty profile. `None`, and a line that says so, where it is not installed.
    ///
    /// # Panics
    /// In continuous integration it has to be installed.
    pub(crate) async fn open() -> Option<Self> {
        let installed = |program: &str| {
            let found =
                Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            found.is_ok_and(|it| it.success())
        };
        if !installed("chromedriver") || !installed("chromium") {
            assert!(std::env::var_os("CI").is_none(), "chromium and chromium-driver are not installed");
            println!("skipped: chromium and chromium-driver are not installed; `make setup` installs them");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines
            .find_map(|it| {
                it.split_once("successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok()
            })
            .expect("chromedriver says where it listens");
        std::thread::spawn(move || lines.for_each(drop));

        let downloads = dir.path().join("downloads");
        let profile = format!("--user-data-dir={}", dir.path().join("profile").display());
        let arguments: Vec<_> = FLAGS.into_iter().chain([profile.as_str()]).collect();
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": { "download.default_directory": downloads, "download.prompt_for_download": false },
            },
            "goog:loggingPrefs": { "browser": "ALL" },
            "unhandledPromptBehavior": "ignore",
        } } });
        let mut browser = Self {
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
            http: reqwest::Client::new(),
            dir,
        };
        let session = browser.command("", Some(capabilities)).await;
        browser.session = format!("{}/{}", browser.session, session["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// POST with a body, GET without; the `value` of the answer.
    async fn try_command(&self, path: &str, body: Option<Value>) -> Result<Value, Value> {
        let url = format!("{}{path}", self.session);
        let request = match body {
            Some(body) => self.http.post(url).json(&body),
            None => self.http.get(url),
        };
        let answer = request.timeout(PATIENCE).send().await.unwrap();
        let fine = answer.status().is_success();
        let value = answer.json::<Value>().await.unwrap()["value"].take();
        if fine { Ok(value) } else { Err(value) }
    }

    async fn command(&self, path: &str, body: Option<Value>) -> Value {
        self.try_command(path, body).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Opens an address.
    pub(crate) async fn visit(&self, url: &str) {
        self.command("/url", Some(json!({ "url": url }))).await;
    }

    /// Runs the body of a function on the page.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.command("/execute/sync", Some(json!({ "script": script, "args": [] }))).await
    }

    /// The value of an expression, once it is truthy.
    pub(crate) async fn until(&self, expression: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.run(&format!("return {expression}")).await;
            if !matches!(&value, Value::Null | Value::Bool(false)) {
                return value;
            }
            if Instant::now() > deadline {
                let text = self.run("return document.body.innerText").await;
                panic!("not within {PATIENCE:?}: {expression}\n{text}\n{:?}", self.complaints().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The element for a CSS selector, once it is there and can be seen.
    async fn element(&self, selector: &str) -> String {
        let seen = format!("document.querySelector({selector:?})?.checkVisibility()");
        self.until(&seen).await;
        let found =
            self.command("/element", Some(json!({ "using": "css selector", "value": selector }))).await;
        // The key that marks an element: WebDriver, section 12.1.
        found["element-6066-11e4-a52e-4f735466cecf"].as_str().unwrap().to_owned()
    }

    /// Clicks as a user does, once the element can be seen.
    pub(crate) async fn click(&self, selector: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let element = self.element(selector).await;
            match self.try_command(&format!("/element/{element}/click"), Some(json!({}))).await {
                Ok(_) => return,
                // The page drew its list anew between the look and the click: look again, as a user does.
                Err(error) if error["error"] == "stale element reference" && Instant::now() < deadline => {}
                Err(error) => panic!("click {selector}: {error}"),
            }
        }
    }

    /// Types as a user does.
    pub(crate) async fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.command(&format!("/element/{element}/value"), Some(json!({ "text": text }))).await;
    }

    /// Says yes to the question the page asks.
    pub(crate) async fn accept(&self) {
        self.command("/alert/accept", Some(json!({}))).await;
    }

    /// What was downloaded under a name, once it is complete.
    pub(crate) async fn download(&self, name: &str) -> Vec<u8> {
        let path = self.dir.path().join("downloads").join(name);
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Chromium writes to another name and renames at the end.
            if let Ok(bytes) = std::fs::read(&path)
                && !bytes.is_empty()
            {
                return bytes;
            }
            assert!(Instant::now() < deadline, "{name} was not downloaded");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Warnings and errors in the browser's console since the last call.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.command("/se/log", Some(json!({ "type": "browser" }))).await;
        let entries = log.as_array().unwrap().iter();
        entries
            .filter(|it| it["level"] != "INFO" && it["level"] != "DEBUG")
            .map(|it| it["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Puts a picture of the window into the directory `PANOTTI_SCREENSHOTS`, where it is set.
    pub(crate) async fn picture(&self, name: &str) {
        let Some(directory) = std::env::var_os("PANOTTI_SCREENSHOTS") else { return };
        let picture = self.command("/screenshot", None).await;
        let bytes = base64(picture.as_str().unwrap());
        std::fs::write(Path::new(&directory).join(format!("{name}.png")), bytes).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked to, ChromeDriver ends its browsers too; killed, it would leave them.
        let id = self.driver.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().ok();
        self.driver.wait().ok();
    }
}

/// Decodes base64 (RFC 4648) that is known to be right.
fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|it| *it != b'=').map(value).collect();
    let bytes = digits.chunks(4).flat_map(|four| {
        let bits = four.iter().fold(0_u32, |bits, it| bits << 6 | u32::from(*it)) << (6 * (4 - four.len()));
        bits.to_be_bytes()[1..four.len()].to_vec()
    });
    bytes.collect()
}
