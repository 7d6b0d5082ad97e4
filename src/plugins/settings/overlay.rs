//! What the environment sets, `PANOTTI_PLUGIN_<NAME>__<KEY>`. Owns finding the key of a variable and how
//! its text is read; leaves whether the value fits to `judge`.

use serde_json::Value;

use super::{
    judge::Misfit,
    schema::{Schema, admits, others, properties, resolve},
    tree::{Path, Place, Tree, value_of},
};
use crate::config::{nearest, yaml};

/// What all of them begin with.
pub(super) const PREFIX: &str = "PANOTTI_PLUGIN_";

/// One variable that sets a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Overlay {
    pub(super) variable: String,
    pub(super) path: Path,
    pub(super) value: Value,
}

/// A variable that matches no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stray {
    pub(super) variable: String,
    pub(super) instead: String,
}

/// The variables of the plugin `name`, in the order of their names, so that a key within a section comes
/// after the section. `schema` is that of the file, `written` what the file says.
pub(super) fn overlays(
    env: &[(String, String)],
    name: &str,
    schema: &Value,
    written: &Value,
) -> (Vec<Overlay>, Vec<Stray>) {
    let prefix = format!("{PREFIX}{}__", name.to_uppercase());
    let mut variables: Vec<_> =
        env.iter().filter_map(|(name, text)| Some((name, name.strip_prefix(&prefix)?, text))).collect();
    variables.sort();
    let (mut found, mut strays) = (Vec::new(), Vec::new());
    for (variable, key, text) in variables {
        let section = if key == "ENABLED" { None } else { Some("config") };
        match find(schema, written, section, key) {
            Ok((path, schema_there)) => {
                let value = read(schema, &schema_there, text);
                found.push(Overlay { variable: variable.clone(), path, value });
            }
            Err(near) => {
                let instead = near.map_or_else(
                    || "unset it, or name it after a key of the plugin".to_owned(),
                    |it| format!("did you mean {prefix}{it}?"),
                );
                strays.push(Stray { variable: variable.clone(), instead });
            }
        }
    }
    (found, strays)
}

/// Puts the overlays over what the file says.
pub(super) fn apply(tree: &mut Tree, overlays: &[Overlay]) {
    for it in overlays {
        it.path.set(&mut tree.value, Some(it.value.clone()));
        // Places within what was there before mean nothing now.
        tree.places.retain(|path, _| !path.0.starts_with(&it.path.0));
        tree.places.insert(it.path.clone(), Place::Variable(it.variable.clone()));
    }
}

/// The key that `keys` (`OLLAMA__URL`) names below `section`, and its schema; else the nearest name.
fn find(
    root: &Value,
    written: &Value,
    section: Option<&str>,
    keys: &str,
) -> Result<(Path, Schema), Option<String>> {
    let mut schema = resolve(root, root);
    let mut path = Path::default();
    if let Some(section) = section {
        schema = resolve(root, properties(root, &schema).get(section).unwrap_or(&Value::Null));
        path = path.key(section);
    }
    let mut done: Vec<&str> = Vec::new();
    for word in keys.split("__") {
        let known = properties(root, &schema);
        let same = |key: &&String| key.to_uppercase() == word;
        let free = others(&schema).cloned();
        let (key, next) = match (known.keys().find(same), free) {
            (Some(key), _) => (key.clone(), known[key].clone()),
            // A key that the file has, whatever its case; the environment has only capitals.
            (None, Some(free)) => {
                let there = path.of(written).and_then(Value::as_object);
                let key = there.and_then(|it| it.keys().find(same)).cloned();
                (key.unwrap_or_else(|| word.to_lowercase()), free)
            }
            (None, None) => {
                let near = nearest(word, known.keys().map(String::as_str)).map(str::to_uppercase);
                return Err(near.map(|it| [&done[..], &[&it]].concat().join("__")));
            }
        };
        schema = resolve(root, &next);
        path = path.key(&key);
        done.push(word);
    }
    Ok((path, schema))
}

/// Text for text; anything else as YAML: numbers, `true`, `[a, b]`, `{ secret: NAME }`.
fn read(root: &Value, schema: &Schema, text: &str) -> Value {
    if text.is_empty() && admits(root, schema, "null") {
        return Value::Null;
    }
    let anything = schema.is_empty();
    if admits(root, schema, "string") && !anything {
        return text.into();
    }
    yaml::parse(text).map_or_else(|_| text.into(), |it| value_of(&it))
}

impl From<&Overlay> for Misfit {
    /// For a value that the environment overrules.
    fn from(it: &Overlay) -> Self {
        Self {
            path: it.path.clone(),
            key: false,
            what: format!("the environment variable {} sets it", it.variable),
            instead: "unset the variable, or leave the key as it is".into(),
        }
    }
}
