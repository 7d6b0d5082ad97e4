//! Checks of what a plugin says about itself: descriptor, schema, example.

use std::collections::BTreeSet;

use semver::{Version, VersionReq};
use serde_json::Value;

use super::{
    Case,
    schema::{misfits, properties, resolve},
};
use crate::{Descriptor, HOST_SETTINGS, Route, Topic, testing::Example};

/// What the host itself answers below `/plugins/{name}`.
const HOST_PATHS: [&str; 5] = ["/", "/enable", "/disable", "/status", "/config"];

/// The descriptor is sound: name, versions, topics, permissions, routes.
pub fn descriptor(case: &Case) -> Vec<String> {
    let it = &case.descriptor;
    let mut problems = Vec::new();
    if !is_name(it.name) {
        problems.push(format!("the name `{}` is not 1 to 64 of a-z, 0-9 and _", it.name));
    }
    for (what, version) in [("version", it.version), ("sdk", it.sdk)] {
        if let Err(error) = Version::parse(version) {
            problems.push(format!("the {what} `{version}` is no semver version: {error}"));
        }
    }
    if it.description.trim().is_empty() {
        problems.push("the description is empty: say in one sentence what the plugin is for".into());
    }
    let topics = it.topics.iter().map(|topic| (topic, "topics"));
    for (topic, place) in topics.chain(it.permissions.publish.iter().map(|topic| (topic, "publish"))) {
        match Topic::parse(topic) {
            Err(error) => problems.push(format!("{place}: {error}")),
            Ok(topic) if place == "publish" && topic.is_all() => {
                problems.push("publish: `**` asks for everything; name what it publishes".into());
            }
            Ok(_) => {}
        }
    }
    let mut needed = BTreeSet::new();
    for dependency in it.dependencies {
        if let Err(error) = VersionReq::parse(dependency.version) {
            problems.push(format!("the version of the dependency `{}`: {error}", dependency.name));
        }
        if !is_name(dependency.name) || dependency.name == it.name || !needed.insert(dependency.name) {
            problems.push(format!("the dependency `{}` is no name, itself, or there twice", dependency.name));
        }
    }
    let schema = (it.config_schema)();
    for place in it.permissions.hosts.iter().chain(it.permissions.directories) {
        let named = place.strip_prefix("config:").map(|key| key.split('.').next().unwrap_or(key));
        if place.is_empty() || named.is_some_and(|key| schema["properties"][key].is_null()) {
            problems.push(format!("the permission `{place}` names nothing, or no key of the configuration"));
        }
    }
    problems.extend(routes(it));
    problems
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|it| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

fn routes(descriptor: &Descriptor) -> Vec<String> {
    let word = |it: &str| {
        let name = it.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap_or(it);
        !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._~".contains(&it))
    };
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for Route { method, path, role, description } in descriptor.routes {
        let mut wrong = |what: &str| problems.push(format!("the route {method} {path}: {what}"));
        if !["GET", "POST", "PUT", "DELETE"].contains(method) {
            wrong("the method is GET, POST, PUT or DELETE");
        }
        if !path.strip_prefix('/').is_some_and(|it| it.split('/').all(word)) {
            wrong("the path is `/` and words, or names in braces, joined by `/`");
        }
        if HOST_PATHS.contains(path) {
            wrong("the host itself answers there");
        }
        if !["viewer", "operator", "admin"].contains(role) {
            wrong("the role is viewer, operator or admin");
        }
        if description.trim().is_empty() {
            wrong("the description is empty");
        }
        if !seen.insert((method, path)) {
            wrong("it is there twice");
        }
    }
    problems
}

/// The configuration is described: an object, every key with its meaning, unknown keys refused.
pub fn schema(case: &Case) -> Vec<String> {
    let root = (case.descriptor.config_schema)();
    if root["type"] != "object" {
        return vec!["the configuration is no object: derive its schema from a struct".into()];
    }
    let mut problems = Vec::new();
    described(&root, &root, "config", &mut Vec::new(), &mut problems);
    for key in HOST_SETTINGS.iter().filter(|it| !root["properties"][**it].is_null()) {
        problems.push(format!("`config.{key}` is a setting of the host: call yours something else"));
    }
    problems
}

fn described<'a>(
    root: &'a Value,
    schema: &'a Value,
    path: &str,
    above: &mut Vec<&'a Value>,
    problems: &mut Vec<String>,
) {
    let target = resolve(root, schema);
    if above.iter().any(|it| std::ptr::eq(*it, target)) {
        return;
    }
    above.push(target);
    if let Some(properties) = target["properties"].as_object() {
        if target["additionalProperties"] != false {
            problems.push(format!("`{path}` takes unknown keys: add #[serde(deny_unknown_fields)]"));
        }
        for (key, schema) in properties {
            let path = format!("{path}.{key}");
            if schema["description"].as_str().is_none_or(|it| it.trim().is_empty()) {
                problems.push(format!("`{path}` has no doc comment that says what it is"));
            }
            described(root, schema, &path, above, problems);
        }
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        for part in target[word].as_array().into_iter().flatten() {
            described(root, part, path, above, problems);
        }
    }
    if target["items"].is_object() {
        described(root, &target["items"], &format!("{path}[]"), above, problems);
    }
    above.pop();
}

/// `plugin.yaml.example` is one: it is read, names the plugin and its version, fits the schema, shows every
/// key.
pub fn example(case: &Case) -> Vec<String> {
    let text = case.descriptor.example;
    let example = match Example::read(text) {
        Ok(example) => example,
        Err(error) => return vec![error.to_string()],
    };
    let root = (case.descriptor.config_schema)();
    let mut problems = Vec::new();
    if example.name != case.descriptor.name {
        problems.push(format!("the example's name is `{}`, not `{}`", example.name, case.descriptor.name));
    }
    if example.version != case.descriptor.version {
        let (theirs, ours) = (&example.version, case.descriptor.version);
        problems.push(format!("the example's version is `{theirs}`, not `{ours}`"));
    }
    let mut config = example.config;
    config.retain(|key, _| !HOST_SETTINGS.contains(&key.as_str()));
    problems.extend(
        misfits(&root, &root, &config.into(), "config")
            .into_iter()
            .map(|it| format!("the example does not fit the schema: {it}")),
    );
    for key in properties(&root, &root).into_iter().flat_map(serde_json::Map::keys) {
        if !text.contains(&format!("{key}:")) {
            problems.push(format!("the example does not show `{key}`: at least as a comment"));
        }
    }
    problems
}
