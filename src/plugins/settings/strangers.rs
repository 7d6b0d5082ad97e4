//! What is meant for plugins that there are not. Owns looking through the folder and the environment; what
//! is found is named and nothing of it is read.

use std::fs;

use panotti_sdk::Descriptor;

use super::{
    super::{
        Site,
        list::{KNOWN, Known},
    },
    SettingsProblem,
    overlay::PREFIX,
};
use crate::config::nearest;

/// Settings files and variables that belong to no plugin of this binary.
pub(crate) fn strangers(site: &Site, descriptors: &[Descriptor]) -> Vec<SettingsProblem> {
    find(site, descriptors, KNOWN)
}

pub(super) fn find(site: &Site, descriptors: &[Descriptor], known: &[Known]) -> Vec<SettingsProblem> {
    let ours = |name: &str| descriptors.iter().any(|it| it.name == name);
    let mut problems = Vec::new();
    // A folder that cannot be read is told of where it is prepared.
    let entries = fs::read_dir(&site.settings_dir).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.filter_map(|it| it.file_name().into_string().ok()).collect();
    files.sort();
    for file in files.iter().filter(|it| !it.starts_with('.')) {
        let Some((name, end)) = file.rsplit_once('.').filter(|it| ["yaml", "yml"].contains(&it.1)) else {
            continue;
        };
        let (what, instead) = match ours(name) {
            true if end == "yaml" => continue,
            true => ("the file is not looked at".to_owned(), format!("rename it to {name}.yaml")),
            false => missing(name, descriptors, known),
        };
        let source = Some(site.settings_dir.join(file).display().to_string());
        problems.push(SettingsProblem {
            source,
            line: None,
            column: None,
            key: String::new(),
            what,
            instead,
        });
    }
    let mut variables: Vec<_> = site.env.iter().map(|it| &it.0).collect();
    variables.sort();
    for variable in variables {
        let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
        let name = rest.split("__").next().unwrap_or(rest).to_lowercase();
        let belongs = descriptors.iter().any(|it| rest.starts_with(&format!("{}__", it.name.to_uppercase())));
        if !belongs {
            let (what, instead) = if ours(&name) {
                ("this variable names no key".to_owned(), format!("name it {variable}__<KEY>"))
            } else {
                missing(&name, descriptors, known)
            };
            let source = Some(variable.clone());
            problems.push(SettingsProblem {
                source,
                line: None,
                column: None,
                key: String::new(),
                what,
                instead,
            });
        }
    }
    problems
}

fn missing(name: &str, descriptors: &[Descriptor], known: &[Known]) -> (String, String) {
    if let Some(it) = known.iter().find(|it| it.name == name) {
        let what = format!("the plugin {name} is not in this binary");
        return (what, format!("build it with the cargo feature `{}`, or remove this", it.feature));
    }
    let names = descriptors.iter().map(|it| it.name).chain(known.iter().map(|it| it.name));
    let all: Vec<_> = descriptors.iter().map(|it| it.name).collect();
    let instead = match nearest(name, names) {
        Some(near) => format!("did you mean {near}?"),
        None if all.is_empty() => "remove it; this binary has no plugins".into(),
        None => format!("remove it; there are {}", all.join(", ")),
    };
    (format!("there is no plugin {name}"), instead)
}
