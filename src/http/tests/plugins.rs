//! Plugins over HTTP: who may do what, what is refused and how, and what a plugin's route gets.

use panotti_sdk::{
    Configured, Context, Delivery, Descriptor, HandlerError, Outbox, Permissions, Plugin, PluginError,
    Request as PluginRequest, Response, Route, SecretRef, Service, async_trait,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;
use crate::plugins::KNOWN;

/// What can be set.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// How it greets.
    #[schemars(length(min = 1, max = 20))]
    greeting: String,
    /// How often.
    #[schemars(range(min = 1, max = 5))]
    times: u8,
    /// A key.
    api_key: Option<SecretRef>,
    /// A key that is not needed.
    #[schemars(extend("x-may-be-missing" = true))]
    spare_key: Option<SecretRef>,
}

impl Default for Config {
    fn default() -> Self {
        Self { greeting: "Good morning".into(), times: 1, api_key: None, spare_key: None }
    }
}

struct Greets {
    config: Config,
    context: Context,
}

impl Configured for Greets {
    type Config = Config;

    fn new(config: Config, context: Context) -> Result<Self, PluginError> {
        if config.greeting == "Silence" {
            return Err(PluginError::config("greeting", "silence is no greeting: say something"));
        }
        Ok(Self { config, context })
    }
}

#[async_trait]
impl Plugin for Greets {
    async fn handle(&self, _: &Delivery) -> Result<Outbox, HandlerError> {
        Ok(Outbox::new())
    }

    async fn call(&self, request: PluginRequest) -> Response {
        let key = self.config.api_key.as_ref().map(|it| self.context.secret(it).unwrap().reveal().len());
        Response::json(&json!({
            "method": request.method, "path": request.path, "query": request.query, "body": request.body.len(),
            "greeting": self.config.greeting, "key_bytes": key,
        }))
    }
}

const fn route(method: &'static str, path: &'static str, role: &'static str) -> Route {
    Route { method, path, role, description: "For tests." }
}

const ROUTES: &[Route] = &[
    route("GET", "/greeting", "viewer"),
    route("GET", "/greeting/{whom}", "viewer"),
    route("POST", "/greeting", "operator"),
    route("PUT", "/greeting", "admin"),
    route("DELETE", "/greeting", "nobody-knows"),
];

const fn greets(name: &'static str, example: &'static str) -> Descriptor {
    Descriptor {
        description: "Greets.",
        permissions: Permissions { services: &[Service::Secrets], ..Permissions::NONE },
        routes: ROUTES,
        ..Descriptor::of::<Greets>(name, "1.2.0", example)
    }
}

const PLUGINS: &[Descriptor] = &[
    greets("greeter", "name: greeter\nversion: \"1.2.0\"\nenabled: true\nconfig:\n  greeting: Hello\n"),
    greets(
        "broken",
        "name: broken\nversion: \"1.2.0\"\nenabled: true\nconfig:\n  greting: Hello\n  times: 9\n",
    ),
];

/// A box with these plugins, which are started.
async fn with_plugins() -> Bench {
    let mut it = bench();
    let config = &it.app.config;
    let site = crate::plugins::Site {
        settings_dir: config.plugins_dir(),
        env: Vec::new(),
        data_dir: it.dir.path().to_owned(),
        recordings_dir: config.storage.recordings_dir(),
        credentials_dir: None,
    };
    let desk = crate::speech::desk().0;
    let runtime = tokio::runtime::Handle::current();
    it.app.plugins = Plugins::start(PLUGINS, site, desk, &it.app.log, &it.app.bus, &runtime).unwrap();
    it.app.plugins.settled().await;
    it.router = router(it.app.clone());
    it
}

impl Bench {
    /// As the administrator.
    async fn rule(&self, line: &str, body: impl Into<Body>) -> Answer {
        self.send(line, &[("x-api-key", ADMIN)], body).await
    }

    fn settings(&self, name: &str) -> String {
        std::fs::read_to_string(self.app.config.plugins_dir().join(format!("{name}.yaml"))).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_do_what() {
    let it = with_plugins().await;
    let keys = [("", 0), (it.viewer.as_str(), 1), (it.operator.as_str(), 2), (ADMIN, 3)];
    for (line, body, needed) in [
        ("GET /plugins", "", 1),
        ("GET /plugins/greeter", "", 1),
        ("GET /plugins/greeter/status", "", 1),
        ("POST /plugins/greeter/disable", "", 3),
        ("POST /plugins/greeter/enable", "", 3),
        ("PUT /plugins/greeter/config", r#"{"config": {}}"#, 3),
        ("GET /plugins/greeter/greeting", "", 1),
        ("POST /plugins/greeter/greeting", "", 2),
        ("PUT /plugins/greeter/greeting", "", 3),
        // A role that is not understood is kept from most.
        ("DELETE /plugins/greeter/greeting", "", 3),
    ] {
        for (key, has) in keys {
            let headers = [("x-api-key", key)];
            let answer = it.send(line, if key.is_empty() { &[] } else { &headers[..] }, body).await;
            let expected = match has {
                0 => StatusCode::UNAUTHORIZED,
                _ if has < needed => StatusCode::FORBIDDEN,
                _ => StatusCode::OK,
            };
            assert_eq!(answer.status, expected, "{line} by {has}: {}", answer.json());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_taken_whole_or_not_at_all() {
    let it = with_plugins().await;
    let before = (it.settings("greeter"), it.ask("GET /plugins/greeter", "").await.json()["config"].clone());
    for (config, says) in [
        (
            json!({ "greting": "Hi" }),
            &["config.greting: there is no such key; did you mean config.greeting?"][..],
        ),
        (json!({ "greeting": 5 }), &["config.greeting: 5 is a number, not text; put it in quotes"]),
        (json!({ "greeting": "" }), &["config.greeting", "write text of 1 to 20 characters"]),
        (json!({ "times": 6 }), &["config.times: 6 is out of range; write a whole number from 1 to 5"]),
        (json!({ "times": "often" }), &["config.times: \"often\" is not a whole number"]),
        (
            json!({ "greting": "Hi", "times": 0, "timeout_s": 0, "max_concurrent_tasks": "x" }),
            &["config.greting", "config.times", "config.timeout_s", "config.max_concurrent_tasks"],
        ),
        (
            json!({ "api_key": { "secret": "NONE" } }),
            &["config.api_key.secret: there is no secret `NONE`", "LoadCredential=NONE:FILE", "mode 600"],
        ),
        (json!({ "api_key": "sk-1234" }), &["config.api_key", "`{ secret: NAME }`"]),
        (json!({ "api_key": { "secret": "../x" } }), &["config.api_key.secret"]),
        // What fits and still cannot be used is found before anything is kept.
        (json!({ "greeting": "Silence" }), &["silence is no greeting", "nothing was kept"]),
    ] {
        let answer = it.rule("PUT /plugins/greeter/config", json!({ "config": config }).to_string()).await;
        let detail = answer.problem(422);
        for part in says {
            assert!(detail.contains(part), "{config}: {part}: {detail}");
        }
        // What came by the API has no line in a file, and no other place than the key.
        assert!(!detail.contains(".yaml"), "{detail}");
    }
    for (body, says) in [
        ("", "config"),
        ("{}", "config"),
        ("[]", "JSON object"),
        ("{\"config\": 5}", "`config`"),
        ("{\"config\": {}, \"enabled\": true}", "enabled"),
        ("{bad", "not JSON"),
    ] {
        let detail = it.rule("PUT /plugins/greeter/config", body).await.problem(422);
        assert!(detail.contains(says), "{body}: {detail}");
    }
    // A secret where its name belongs, and a filter that there is not.
    let body = json!({ "config": { "api_key": "sk-very-secret" } }).to_string();
    let detail = it.rule("PUT /plugins/greeter/config", body).await.problem(422);
    assert!(detail.contains("config.api_key: a secret is only named here"), "{detail}");
    assert!(!detail.contains("sk-very-secret"), "{detail}");
    let body = json!({ "config": { "event_filter": "nope" } }).to_string();
    let detail = it.rule("PUT /plugins/greeter/config", body).await.problem(422);
    assert!(detail.contains("there is no filter `nope`"), "{detail}");
    let after = (it.settings("greeter"), it.ask("GET /plugins/greeter", "").await.json()["config"].clone());
    assert_eq!(after, before, "nothing was kept");
    assert!(it.app.plugins.list().iter().any(|it| it.name == "greeter" && it.restarts == 0));

    // A secret that is there is used and never shown.
    let secrets = it.dir.path().join("secrets");
    std::fs::create_dir(&secrets).unwrap();
    let secret = secrets.join("KEY");
    std::fs::write(&secret, "sk-very-secret\n").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let spare = json!({ "secret": "NONE" });
    let config = json!({ "greeting": "Hi", "api_key": { "secret": "KEY" }, "spare_key": spare });
    let config = json!({ "config": config });
    let answer = it.rule("PUT /plugins/greeter/config", config.to_string()).await;
    let done = answer.json();
    assert_eq!(done["changed"], json!(["api_key", "greeting", "spare_key"]), "{done}");
    assert_eq!(done["status"]["state"], "running");
    let greeting = it.ask("GET /plugins/greeter/greeting", "").await.json();
    assert_eq!((&greeting["greeting"], &greeting["key_bytes"]), (&json!("Hi"), &json!(14)));
    let shown = it.ask("GET /plugins/greeter", "").await.json();
    assert_eq!(shown["config"]["api_key"], json!({ "secret": "KEY" }));
    let events = it.ask("GET /events?name=plugin.**", "").await.json();
    assert!(!format!("{shown}{events}{}", it.settings("greeter")).contains("sk-very-secret"));
    assert!(events["items"].as_array().unwrap().iter().any(|it| it["name"] == "plugin.config_changed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_do_not_fit_are_told_in_full_and_repaired() {
    let it = with_plugins().await;
    let broken = it.ask("GET /plugins/broken", "").await.json();
    assert_eq!((&broken["state"], &broken["enabled"]), (&json!("failed"), &json!(true)), "{broken}");
    let file = it.app.config.plugins_dir().join("broken.yaml");
    let problems: Vec<_> = broken["problems"].as_array().unwrap().iter().collect();
    let places: Vec<_> = problems.iter().map(|it| (it["line"].as_u64(), it["column"].as_u64())).collect();
    assert_eq!(places, [(Some(5), Some(3)), (Some(6), Some(10))], "{broken}");
    assert!(problems.iter().all(|it| it["source"] == file.to_str().unwrap()), "{broken}");
    assert!(broken["reason"].as_str().unwrap().ends_with("(and 1 more)"), "{broken}");
    let ready = it.ask("GET /health/ready", "").await.json();
    assert_eq!(ready["failed_plugins"], json!(["broken"]), "why is for those with a key");
    let refused = it.ask("GET /plugins/broken/greeting", "").await.problem(503);
    assert!(refused.contains("does not run") && refused.contains("greting"), "{refused}");
    let refused = it.rule("POST /plugins/broken/enable", "").await.problem(422);
    assert!(refused.contains("config.greting") && refused.contains("config.times"), "{refused}");
    assert_eq!(
        it.ask("GET /plugins/greeter/greeting", "").await.json()["greeting"],
        "Hello",
        "the rest runs"
    );

    let repaired = it.rule("PUT /plugins/broken/config", r#"{"config": {"times": 5}}"#).await.json();
    assert_eq!(repaired["status"]["state"], "running", "{repaired}");
    let changed = repaired["changed"].as_array().unwrap();
    assert!(changed.contains(&json!("times")) && !changed.contains(&json!("")), "{repaired}");
    assert_eq!(it.ask("GET /plugins/broken", "").await.json()["problems"], json!([]));
    let ready = it.ask("GET /health/ready", "").await.json();
    assert_eq!(ready["failed_plugins"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_that_there_are_not() {
    let it = with_plugins().await;
    let list = it.ask("GET /plugins", "").await.json();
    let absent: Vec<_> = KNOWN.iter().map(|it| json!({ "name": it.name, "feature": it.feature })).collect();
    assert_eq!(list["not_compiled_in"], json!(absent), "none of ours is in this host");
    for (id, says) in [
        ("example", "build it with the cargo feature `plugin-example`"),
        ("noise_reduction", "build it with the cargo feature `plugin-noise-reduction`"),
        ("greter", "did you mean greeter?"),
        ("exampel", "did you mean example?"),
        ("zzz", "there are: greeter, broken"),
        ("..", "there is no plugin `..`"),
        ("%2e%2e%2f%2e%2e%2fetc%2fpasswd", "there is no plugin `../../etc/passwd`"),
        ("GREETER", "there is no plugin `GREETER`"),
        ("greeter%00", "there is no plugin"),
        ("%ff", "nothing has this path"),
    ] {
        for line in [
            "GET /plugins/ID",
            "GET /plugins/ID/status",
            "POST /plugins/ID/enable",
            "POST /plugins/ID/disable",
            "GET /plugins/ID/count",
        ] {
            let detail = it.rule(&line.replace("ID", id), "").await.problem(404);
            assert!(detail.contains(says), "{line} {id}: {detail}");
        }
        let put = format!("PUT /plugins/{id}/config");
        let detail = it.rule(&put, r#"{"config": {}}"#).await.problem(404);
        assert!(detail.contains(says), "{put}: {detail}");
    }
    let mut files: Vec<_> = std::fs::read_dir(it.app.config.plugins_dir())
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["broken.yaml", "greeter.yaml"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugins_route_gets() {
    let it = with_plugins().await;
    let ask = async |line: &str, body: Vec<u8>| it.rule(line, body).await;
    let greeting = ask("GET /plugins/greeter/greeting/Ada%20L%C3%B6?a=1&a=%26", Vec::new()).await.json();
    assert_eq!(greeting["path"], "/greeting/Ada Lö", "decoded");
    assert_eq!(greeting["query"], json!([["a", "1"], ["a", "&"]]));
    let posted = ask("POST /plugins/greeter/greeting", vec![b'x'; 1 << 20]).await.json();
    assert_eq!(posted["body"], 1 << 20);
    let large = ask("POST /plugins/greeter/greeting", vec![b'x'; (1 << 20) + 1]).await.problem(413);
    assert!(large.contains("1048576"), "{large}");
    for line in [
        "GET /plugins/greeter/greeting/a%2fb",
        "GET /plugins/greeter/greeting/..",
        "GET /plugins/greeter/greeting/%2e%2e",
        "GET /plugins/greeter/greeting/a/b",
        "GET /plugins/greeter/greeting/",
        "GET /plugins/greeter/nothing",
        "PATCH /plugins/greeter/greeting",
    ] {
        let refused = ask(line, Vec::new()).await.problem(404);
        assert!(
            refused.contains("has no route") && refused.contains("plugins show greeter"),
            "{line}: {refused}"
        );
    }
    let disabled = ask("POST /plugins/greeter/disable", Vec::new()).await.json();
    assert_eq!((&disabled["state"], &disabled["enabled"]), (&json!("disabled"), &json!(false)));
    let refused = ask("GET /plugins/greeter/greeting", Vec::new()).await.problem(503);
    assert!(refused.contains("it is not enabled"), "{refused}");
    assert!(it.settings("greeter").contains("enabled: false"));
}
