//! From what was written to a `Config`: built-in defaults ← board ← file ← environment ← command line. Owns
//! the order and where each value came from; `resolve` is pure, only `load` reads the file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::Value as Json;

use super::{
    Config, KEYS, Key, Kind, Origin, Problem, Problems,
    board::{self, Board},
    check::{check, nearest},
    rules,
    yaml::{self, Node, Value},
};

/// Read when no file is named and this one exists.
pub const DEFAULT_FILE: &str = "/etc/panotti/panotti.yaml";

/// Variables that are no keys: options of commands may be given in them.
const OF_COMMANDS: [&str; 4] = [board::VARIABLE, "PANOTTI_CONFIG", "PANOTTI_SERVER", "PANOTTI_KEY"];

/// Where a configuration is to be taken from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file; [`DEFAULT_FILE`] if it exists, when not set.
    pub file: Option<PathBuf>,
    /// Environment variables, name and value.
    pub env: Vec<(String, String)>,
    /// What the command line says; it wins.
    pub overrides: Vec<Override>,
}

/// A value from the command line.
#[derive(Debug, Clone)]
pub struct Override {
    pub(super) option: &'static str,
    pub(super) key: &'static str,
    pub(super) value: String,
}

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// All values.
    pub config: Config,
    /// Where each value came from, by path; what is not here is built in.
    pub origins: BTreeMap<&'static str, Origin>,
    /// What is not wrong but probably not meant.
    pub warnings: Vec<String>,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// The board whose values lie below the file's; who named it is in `origins` at `board`.
    pub board: Option<&'static Board>,
}

impl Sources {
    /// The environment of this process. Variables that are not UTF-8 are none of ours.
    pub fn process_env() -> Vec<(String, String)> {
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        std::env::vars_os().filter_map(utf8).collect()
    }
}

impl Override {
    /// `option` (`--data-dir`) sets `key` (`storage.data_dir`) to `value`.
    pub fn new(option: &'static str, key: &'static str, value: impl Into<String>) -> Self {
        Self { option, key, value: value.into() }
    }
}

/// Reads the file, if there is one, and resolves everything.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let default = Path::new(DEFAULT_FILE);
    let file = sources.file.as_deref().or_else(|| default.exists().then_some(default));
    let text = match file.map(std::fs::read_to_string).transpose() {
        Ok(it) => it,
        Err(error) => {
            let path = file.unwrap_or(default).to_owned();
            return Err(Problems(vec![Problem {
                origin: Origin::File { path, line: 0, column: 0 },
                key: String::new(),
                what: format!("the file cannot be read: {error}"),
                instead: "name a file that can be read with --config".into(),
            }]));
        }
    };
    resolve(file.zip(text.as_deref()), &sources.env, &sources.overrides)
}

/// Resolves what was written. Pure.
///
/// # Errors
/// Everything that is wrong, at once.
pub(super) fn resolve(
    file: Option<(&Path, &str)>,
    env: &[(String, String)],
    overrides: &[Override],
) -> Result<Loaded, Problems> {
    let mut merge = Merge::default();
    let at = |line, column| {
        let path = file.map(|it| it.0.to_owned()).unwrap_or_default();
        Origin::File { path, line, column }
    };
    let root = file.and_then(|it| merge.parse(it.1, &at));
    match board::chosen(root.as_ref(), &at, env, overrides) {
        Some(Ok((board, origin))) => merge.board(board, origin),
        Some(Err(problem)) => merge.problems.push(problem),
        None => {}
    }
    if let Some(root) = &root {
        merge.sections(root, &at);
    }
    merge.environment(env);
    for it in overrides {
        if let Some(key) = Key::find(it.key) {
            merge.set(key, &from_text(key.kind, &it.value), Origin::Option { option: it.option });
        }
    }
    let file = file.map(|it| it.0.to_owned());
    merge.finish(file)
}

/// Values by path, as far as they are good.
#[derive(Default)]
struct Merge {
    values: BTreeMap<&'static str, Json>,
    origins: BTreeMap<&'static str, Origin>,
    /// Keys whose last word was no good.
    bad: Vec<&'static str>,
    problems: Vec<Problem>,
    warnings: Vec<String>,
    board: Option<&'static Board>,
}

impl Merge {
    fn problem(&mut self, origin: Origin, key: &str, what: impl Into<String>, instead: impl Into<String>) {
        self.problems.push(Problem { origin, key: key.into(), what: what.into(), instead: instead.into() });
    }

    fn set(&mut self, key: &'static Key, node: &Node, origin: Origin) {
        match check(key, node) {
            Ok(value) => {
                self.values.insert(key.path, value);
                self.origins.insert(key.path, origin);
            }
            Err(misfit) => {
                let origin = match (origin, misfit.at) {
                    (Origin::File { path, .. }, Some((line, column))) => Origin::File { path, line, column },
                    (origin, _) => origin,
                };
                self.problem(origin, key.path, misfit.what, misfit.instead);
                self.bad.push(key.path);
            }
        }
    }

    fn parse(&mut self, text: &str, at: &impl Fn(u64, u64) -> Origin) -> Option<Node> {
        let wrong = |error: yaml::SyntaxError| {
            let instead = "correct the YAML here, what follows was not looked at";
            self.problem(at(error.line, error.column), "", error.message, instead);
        };
        yaml::parse(text).map_err(wrong).ok()
    }

    fn board(&mut self, board: &'static Board, origin: Origin) {
        self.board = Some(board);
        self.origins.insert(board::KEY, origin);
        let at = |_, _| Origin::Board { name: board.name.to_owned() };
        let root = self.parse(board.text, &at);
        if let Some(settings) = root.as_ref().and_then(|it| it.get("panotti")) {
            self.sections(settings, &at);
        }
    }

    fn sections(&mut self, root: &Node, at: &impl Fn(u64, u64) -> Origin) {
        let sections: Vec<_> = KEYS.iter().map(|it| it.split().0).collect();
        for (name, section) in self.entries(root, at, "") {
            let place = at(name.line, name.column);
            let Value::Text(name) = &name.value else {
                self.problem(place, "", "a section needs a name", known(&sections));
                continue;
            };
            if name == board::KEY {
                continue;
            }
            if !sections.contains(&name.as_str()) {
                let instead = suggestion(name, "", &sections);
                self.problem(place, name, "there is no such section", instead);
                continue;
            }
            self.section(name, section, at);
        }
    }

    fn section(&mut self, section: &str, node: &Node, at: &impl Fn(u64, u64) -> Origin) {
        let keys: Vec<_> = KEYS.iter().filter(|it| it.split().0 == section).collect();
        let names: Vec<_> = keys.iter().map(|it| it.split().1).collect();
        for (name, value) in self.entries(node, at, section) {
            let place = at(name.line, name.column);
            let name = match &name.value {
                Value::Text(it) => it.clone(),
                other => format!("{other:?}"),
            };
            match keys.iter().find(|it| it.split().1 == name) {
                Some(key) => self.set(key, value, at(value.line, value.column)),
                None => {
                    let elsewhere = KEYS.iter().find(|it| it.split().1 == name);
                    let instead = elsewhere.map_or_else(
                        || suggestion(&name, section, &names),
                        |it| format!("it belongs to the section {}", it.split().0),
                    );
                    self.problem(place, &format!("{section}.{name}"), "there is no such key", instead);
                }
            }
        }
    }

    /// The entries of a map; nothing written is an empty map.
    fn entries<'a>(
        &mut self,
        node: &'a Node,
        at: &impl Fn(u64, u64) -> Origin,
        key: &str,
    ) -> Vec<(&'a Node, &'a Node)> {
        match &node.value {
            Value::Map(entries) => entries.iter().map(|(name, value)| (name, value)).collect(),
            Value::Null => Vec::new(),
            _ => {
                let instead = if key.is_empty() {
                    "write sections such as `audio:` with their keys below, indented".to_owned()
                } else {
                    format!("write `{key}:` and its keys below, indented, as `name: value`")
                };
                self.problem(at(node.line, node.column), key, "this is no list of keys and values", instead);
                Vec::new()
            }
        }
    }

    fn environment(&mut self, env: &[(String, String)]) {
        let get = |name: &str| env.iter().find(|it| it.0 == name && !it.1.is_empty()).map(|it| it.1.as_str());
        // The original's names, weaker than ours.
        let host = get("API_HOST").map(|it| if it == "localhost" { "127.0.0.1" } else { it });
        let port = get("API_PORT");
        if host.is_some() || port.is_some() {
            let variable = if host.is_some() { "API_HOST" } else { "API_PORT" };
            let default = Config::default().server.listen;
            let host = host.map_or_else(|| default.ip().to_string(), Into::into);
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            let port = port.map_or_else(|| default.port().to_string(), Into::into);
            self.variable("server.listen", variable, &format!("{host}:{port}"));
        }
        if let Some(it) = get("RECORDINGS_DIR") {
            self.variable("storage.recordings_dir", "RECORDINGS_DIR", it);
        }
        if let Some(it) = get("LOG_LEVEL") {
            let level = match it.to_lowercase() {
                it if it == "warning" => "warn".into(),
                it if it == "critical" => "error".into(),
                it => it,
            };
            self.variable("logging.level", "LOG_LEVEL", &level);
        }
        let variables: Vec<_> = KEYS.iter().map(Key::variable).collect();
        // What plugins are set with is judged with their settings.
        let ours = |name: &str| name.starts_with("PANOTTI_") && !name.starts_with("PANOTTI_PLUGIN_");
        for (name, value) in env.iter().filter(|it| ours(&it.0)) {
            if let Some(key) = KEYS.iter().find(|it| it.variable() == *name) {
                self.variable(key.path, name, value);
                continue;
            }
            // The prefix is common to all and would make everything look alike.
            let near = nearest(bare(name), variables.iter().map(|it| bare(it)));
            let instead = near.map_or_else(
                || "unset it, or name it PANOTTI_<SECTION>__<KEY>".to_owned(),
                |it| format!("did you mean PANOTTI_{it}?"),
            );
            if name.contains("__") {
                let origin = Origin::Environment { variable: name.clone() };
                self.problem(origin, "", "this variable matches no key", instead);
            } else if !OF_COMMANDS.contains(&name.as_str()) {
                self.warnings.push(format!("The environment variable {name} matches no key; {instead}"));
            }
        }
    }

    fn variable(&mut self, path: &str, variable: &str, value: &str) {
        if let Some(key) = Key::find(path) {
            let origin = Origin::Environment { variable: variable.to_owned() };
            self.set(key, &from_text(key.kind, value), origin);
        }
    }

    fn finish(mut self, file: Option<PathBuf>) -> Result<Loaded, Problems> {
        let config = self.assemble().unwrap_or_else(|error| {
            let what = format!("the values do not fit together: {error}");
            self.problem(Origin::Default, "", what, "report this, it is a fault of the program");
            Config::default()
        });
        for it in rules::broken(&config) {
            let judged = |key| !self.bad.contains(&key);
            if judged(it.key) && judged(it.with) {
                let origin = self.origins.get(it.key).or(self.origins.get(it.with));
                let origin = origin.cloned().unwrap_or(Origin::Default);
                self.problem(origin, it.key, it.what, it.instead);
            }
        }
        if self.problems.is_empty() {
            let Self { origins, warnings, board, .. } = self;
            Ok(Loaded { config, origins, warnings, file, board })
        } else {
            Err(Problems(self.problems))
        }
    }

    fn assemble(&self) -> Result<Config, serde_json::Error> {
        let mut tree = serde_json::to_value(Config::default())?;
        for (path, value) in &self.values {
            if let Some((section, name)) = path.split_once('.') {
                tree[section][name] = value.clone();
            }
        }
        serde_json::from_value(tree)
    }
}

fn bare(variable: &str) -> &str {
    variable.strip_prefix("PANOTTI_").unwrap_or(variable)
}

/// A value from a place that has only text: the environment and the command line.
fn from_text(kind: Kind, text: &str) -> Node {
    let trimmed = text.trim();
    let plain = || Value::Text(text.to_owned());
    let value = match kind {
        _ if trimmed.is_empty() => Value::Null,
        Kind::Bool => trimmed.to_lowercase().parse().map_or_else(|_| plain(), Value::Bool),
        Kind::Int(..) => trimmed.parse().map_or_else(|_| plain(), Value::Int),
        Kind::Float(..) => trimmed.parse().map_or_else(|_| plain(), Value::Float),
        Kind::Texts(_) if trimmed.starts_with('[') => {
            yaml::parse(trimmed).map_or_else(|_| plain(), |it| it.value)
        }
        Kind::Texts(_) => {
            let item = |it: &str| Node { value: Value::Text(it.trim().to_owned()), line: 0, column: 0 };
            Value::List(trimmed.split(',').map(item).collect())
        }
        _ => plain(),
    };
    Node { value, line: 0, column: 0 }
}

pub(super) fn suggestion(name: &str, section: &str, names: &[&str]) -> String {
    let dotted = |it: &str| if section.is_empty() { it.to_owned() } else { format!("{section}.{it}") };
    nearest(name, names.iter().copied())
        .map_or_else(|| known(names), |it| format!("did you mean {}?", dotted(it)))
}

pub(super) fn known(names: &[&str]) -> String {
    let mut names = names.to_vec();
    names.dedup();
    format!("known are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_plugins_are_not_judged_here() {
        let set = |name: &str| resolve(None, &[(name.to_owned(), "x".to_owned())], &[]);
        assert!(set("PANOTTI_PLUGIN_SAMPLE__MODE").is_ok());
        assert!(set("PANOTTI_PLUGINS__DIRR").is_err());
        assert_eq!(set("PANOTTI_PLUGINS__DIR").unwrap().config.plugins_dir(), Path::new("x"));
    }

    #[test]
    fn a_long_comment_is_a_comment() {
        let text = format!("{}server:\n  listen: 127.0.0.1:1\n", "# a line\n".repeat(500));
        assert!(resolve(Some((Path::new("x.yaml"), &text)), &[], &[]).is_ok());
    }
}
