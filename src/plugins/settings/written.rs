//! What the file and the environment say of one plugin, together. Owns judging it, placing what is wrong,
//! and the text that keeps it; leaves each step to its neighbours.

use std::num::NonZeroUsize;

use panotti_sdk::Descriptor;
use semver::Version;
use serde_json::{Map, Value};

use super::{
    Settings, SettingsProblem, Unusable, files,
    judge::{Misfit, judge},
    overlay::{self, Overlay, Stray, overlays},
    render, schema,
    tree::{Path, Place, Tree},
    wording,
};
use crate::{
    error_chain::chain,
    plugins::{Site, plan::is_name, secrets::secret},
};

/// What the file and the environment say.
pub(super) struct Written<'a> {
    site: &'a Site,
    descriptor: &'a Descriptor,
    schema: Value,
    pub(super) file: Tree,
    pub(super) overlays: Vec<Overlay>,
    strays: Vec<Stray>,
    /// Whether `config` came by the API.
    pub(super) given: bool,
}

impl<'a> Written<'a> {
    pub(super) fn read(site: &'a Site, descriptor: &'a Descriptor) -> Result<Self, Vec<SettingsProblem>> {
        let wrong = |at: Option<(u64, u64)>, what: String, instead: &str| {
            vec![SettingsProblem {
                source: is_name(descriptor.name)
                    .then(|| files::path(site, descriptor.name).display().to_string()),
                line: at.map(|it| it.0),
                column: at.map(|it| it.1),
                key: String::new(),
                what,
                instead: instead.into(),
            }]
        };
        if !is_name(descriptor.name) {
            let what = format!("`{}` is no name for a plugin", descriptor.name);
            return Err(wrong(None, what, "use a-z, 0-9 and _, at most 64"));
        }
        let text = files::read_or_create(site, descriptor).map_err(|error| {
            wrong(None, format!("the file cannot be read: {error}"), "let the user of the service read it")
        })?;
        let file = Tree::parse(&text).map_err(|error| {
            let at = Some((error.line, error.column)).filter(|it| it.0 > 0);
            wrong(at, error.message, "correct the YAML here, what follows was not looked at")
        })?;
        let schema = schema::of_file(descriptor);
        let (overlays, strays) = overlays(&site.env, descriptor.name, &schema, &file.value);
        Ok(Self { site, descriptor, schema, file, overlays, strays, given: false })
    }

    /// The settings, if all of them fit.
    pub(super) fn judged(&self) -> Result<Settings, Unusable> {
        let mut tree = self.file.clone();
        overlay::apply(&mut tree, &self.overlays);
        // A plugin that is not to run needs no secrets yet.
        let enabled = tree.value.get("enabled") != Some(&Value::Bool(false));
        let there = |name: &str| match secret(self.site, name) {
            Err(error) if enabled => {
                let text = chain(&error);
                let (what, instead) = text.split_once(": ").unwrap_or((&text, "see to it"));
                Err((what.to_owned(), instead.to_owned()))
            }
            _ => Ok(()),
        };
        let (complete, mut misfits) = judge(&self.schema, &tree.value, &there);
        misfits.extend(self.identity(&tree.value, !misfits.is_empty()));
        misfits.extend(tree.nameless.iter().map(|(path, found)| Misfit {
            path: path.clone(),
            key: true,
            what: format!("{found} is no name for a key"),
            instead: "write a word".into(),
        }));
        let mut problems: Vec<_> = misfits.into_iter().map(|it| self.placed(&tree, it)).collect();
        problems.sort_by_key(|it| (it.line.is_none(), it.line, it.column));
        let stray = |it: &Stray| SettingsProblem {
            source: Some(it.variable.clone()),
            line: None,
            column: None,
            key: String::new(),
            what: "this variable matches no key".into(),
            instead: it.instead.clone(),
        };
        problems.extend(self.strays.iter().map(stray));
        problems.extend(schema::faults(self.descriptor).into_iter().map(|what| SettingsProblem {
            source: None,
            line: None,
            column: None,
            key: "config".into(),
            what,
            instead: "tell the plugin's author".into(),
        }));
        if problems.is_empty()
            && let Some(settings) = self.settings(&complete)
        {
            return Ok(settings);
        }
        Err(Unusable { enabled, problems })
    }

    /// Whether it is this plugin's file, of a version that this one understands.
    fn identity(&self, file: &Value, misfits: bool) -> Vec<Misfit> {
        let mut found = Vec::new();
        let mut wrong = |key: &str, what, instead| {
            found.push(Misfit { path: Path::default().key(key), key: false, what, instead });
        };
        let ours = self.descriptor.name;
        if let Some(name) = file.get("name").and_then(Value::as_str).filter(|it| *it != ours) {
            let what = format!("these are the settings of {}", wording::show(&name.into()));
            wrong("name", what, format!("write {ours}, or name the file after that plugin"));
        }
        let Some(version) = file.get("version").and_then(Value::as_str) else { return found };
        let (Ok(theirs), Ok(ours)) = (Version::parse(version), Version::parse(self.descriptor.version))
        else {
            let what = format!("{} is no version", wording::show(&version.into()));
            wrong("version", what, format!("write \"{}\"", self.descriptor.version));
            return found;
        };
        let compare =
            format!("compare it with `panotti plugins show {}`, then write \"{ours}\"", self.descriptor.name);
        if theirs.major > ours.major {
            wrong(
                "version",
                format!("the version {theirs} of the plugin wrote this, and this is {ours}"),
                compare,
            );
        } else if misfits && theirs != ours {
            wrong(
                "version",
                format!("the version {theirs} of the plugin wrote this; in {ours} keys may differ"),
                compare,
            );
        }
        found
    }

    fn settings(&self, complete: &Value) -> Option<Settings> {
        let mut own = complete.get("config")?.as_object()?.clone();
        let shown = Value::Object(own.clone());
        let event_filter = own.remove("event_filter").and_then(|it| it.as_str().map(str::to_owned));
        let mut common = |key: &str| own.remove(key)?.as_u64();
        let tasks = common("max_concurrent_tasks")?;
        let (timeout, memory) = (common("timeout_s")?, common("memory_limit_mib")?);
        let names = complete.get("dependencies")?.as_array()?;
        Some(Settings {
            enabled: complete.get("enabled")?.as_bool()?,
            dependencies: names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            max_concurrent_tasks: NonZeroUsize::new(tasks.try_into().ok()?)?,
            event_filter,
            timeout_s: timeout.try_into().ok()?,
            memory_limit_mib: memory.try_into().ok()?,
            config: if schema::is_unit(self.descriptor) { Value::Null } else { Value::Object(own) },
            shown,
        })
    }

    /// The file's new text, which has been read back.
    pub(super) fn text(&self) -> Result<String, Vec<SettingsProblem>> {
        let mut file = self.file.value.as_object().cloned().unwrap_or_default();
        file.insert("name".into(), self.descriptor.name.into());
        file.insert("version".into(), self.descriptor.version.into());
        file.entry("enabled").or_insert(true.into());
        file.entry("dependencies").or_insert(Value::Array(Vec::new()));
        let text = render::render(self.descriptor, &self.schema, &file);
        let config = |it: &Map<String, Value>| it.get("config").cloned().unwrap_or_default();
        let same = |read: Tree| {
            let read = read.value.as_object().cloned().unwrap_or_default();
            let (read, meant) = (config(&read), config(&file));
            read == meant || read.is_null() && meant.as_object().is_some_and(Map::is_empty)
        };
        if Tree::parse(&text).is_ok_and(same) {
            return Ok(text);
        }
        let misfit = Misfit {
            path: Path::default().key("config"),
            key: false,
            what: "it is too large or too deep for a settings file".into(),
            instead: "write less".into(),
        };
        Err(vec![self.problem(misfit, true)])
    }

    fn placed(&self, tree: &Tree, it: Misfit) -> SettingsProblem {
        let place = tree.place(&it.path).cloned();
        let api = self.given && it.path.0.starts_with(&Path::default().key("config").0);
        let key_itself = it.key;
        let problem = self.problem(it, api);
        match place {
            Some(Place::Variable(name)) => SettingsProblem { source: Some(name), ..problem },
            Some(Place::File { key, value }) if !api => {
                let (line, column) = if key_itself { key } else { value };
                SettingsProblem { line: Some(line), column: Some(column), ..problem }
            }
            _ => problem,
        }
    }

    /// One of the file, or of what came by the API.
    pub(super) fn problem(&self, it: Misfit, api: bool) -> SettingsProblem {
        let path = files::path(self.site, self.descriptor.name);
        SettingsProblem {
            source: (!api).then(|| path.display().to_string()),
            line: None,
            column: None,
            key: it.path.to_string(),
            what: it.what,
            instead: it.instead,
        }
    }
}
