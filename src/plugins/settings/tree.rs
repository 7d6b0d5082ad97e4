//! What was written, and where. Owns turning located YAML into JSON with a list of places; leaves whether
//! it fits to `judge`.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Number, Value};

use crate::config::yaml::{self, Node};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Of a section.
    Key(String),
    /// Of a list, from 0.
    Index(usize),
}

/// From the file's top to a value.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path(pub(super) Vec<Step>);

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In the file: line and column of the key and of the value, from 1.
    File { key: (u64, u64), value: (u64, u64) },
    /// In this environment variable.
    Variable(String),
}

/// Values and their places.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    pub(super) value: Value,
    pub(super) places: BTreeMap<Path, Place>,
    /// Names of keys that are no names: where, and what is there.
    pub(super) nameless: Vec<(Path, String)>,
}

impl Path {
    /// The path of `key` below this one.
    pub(super) fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    pub(super) fn with(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }

    /// What is there in `value`.
    pub(super) fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        })
    }

    /// Puts `new` there, or takes away what is there. Sections on the way are made.
    pub(super) fn set(&self, value: &mut Value, new: Option<Value>) {
        if !value.is_object() {
            *value = Value::Object(Map::new());
        }
        if let Value::Object(map) = value {
            put(map, &self.0, new);
        }
    }
}

fn put(map: &mut Map<String, Value>, way: &[Step], new: Option<Value>) {
    let Some((Step::Key(key), rest)) = way.split_first() else { return };
    match new {
        Some(new) if rest.is_empty() => {
            map.insert(key.clone(), new);
        }
        None if rest.is_empty() => {
            map.remove(key);
        }
        Some(_) => Path(rest.to_vec()).set(map.entry(key).or_insert(Value::Null), new),
        None => {
            if let Some(Value::Object(inner)) = map.get_mut(key) {
                put(inner, rest, None);
            }
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if index > 0 => write!(f, ".{key}")?,
                Step::Key(key) => f.write_str(key)?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl Tree {
    /// Reads a file's text.
    pub(super) fn parse(text: &str) -> Result<Self, yaml::SyntaxError> {
        let root = yaml::parse(text)?;
        let mut tree = Self::default();
        tree.value = tree.read(&root, &Path::default());
        let top = (root.line, root.column);
        tree.places.insert(Path::default(), Place::File { key: top, value: top });
        Ok(tree)
    }

    /// Where `path` was written, or what is around it.
    pub(super) fn place(&self, path: &Path) -> Option<&Place> {
        let mut path = path.clone();
        loop {
            if let Some(place) = self.places.get(&path) {
                return Some(place);
            }
            path.0.pop()?;
        }
    }

    fn read(&mut self, node: &Node, path: &Path) -> Value {
        match &node.value {
            yaml::Value::List(items) => {
                let mut item = |(index, node): (usize, &Node)| {
                    let path = path.with(Step::Index(index));
                    let at = (node.line, node.column);
                    self.places.insert(path.clone(), Place::File { key: at, value: at });
                    self.read(node, &path)
                };
                Value::Array(items.iter().enumerate().map(&mut item).collect())
            }
            yaml::Value::Map(entries) => {
                let mut map = Map::new();
                for (key, node) in entries {
                    let name = match &key.value {
                        yaml::Value::Text(it) => it.clone(),
                        yaml::Value::Int(it) => it.to_string(),
                        yaml::Value::Bool(it) => it.to_string(),
                        other => {
                            let path = path.key("?");
                            let at = (key.line, key.column);
                            self.places.insert(path.clone(), Place::File { key: at, value: at });
                            self.nameless.push((path, kind(other).to_owned()));
                            continue;
                        }
                    };
                    let path = path.key(&name);
                    let place = Place::File { key: (key.line, key.column), value: (node.line, node.column) };
                    self.places.insert(path.clone(), place);
                    let value = self.read(node, &path);
                    map.insert(name, value);
                }
                Value::Object(map)
            }
            scalar => plain(scalar),
        }
    }
}

/// The value of YAML without its places.
pub(super) fn value_of(node: &Node) -> Value {
    Tree::default().read(node, &Path::default())
}

fn plain(scalar: &yaml::Value) -> Value {
    match scalar {
        yaml::Value::Bool(it) => Value::Bool(*it),
        yaml::Value::Text(it) => Value::String(it.clone()),
        yaml::Value::Int(it) => match (i64::try_from(*it), u64::try_from(*it)) {
            (Ok(it), _) => it.into(),
            (_, Ok(it)) => it.into(),
            #[expect(clippy::cast_precision_loss, reason = "as JSON has it; no schema admits it")]
            _ => Number::from_f64(*it as f64).map_or(Value::Null, Value::Number),
        },
        // JSON has no such numbers; as text they fit no schema of a number.
        yaml::Value::Float(it) => {
            Number::from_f64(*it).map_or_else(|| Value::String(it.to_string()), Value::Number)
        }
        yaml::Value::Null | yaml::Value::List(_) | yaml::Value::Map(_) => Value::Null,
    }
}

fn kind(value: &yaml::Value) -> &'static str {
    match value {
        yaml::Value::List(_) => "a list",
        yaml::Value::Map(_) => "a section",
        yaml::Value::Float(_) => "a number",
        _ => "nothing",
    }
}
