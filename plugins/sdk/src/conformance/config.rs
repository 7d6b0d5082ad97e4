//! Checks of how a plugin takes a bad configuration.

use serde_json::{Value, json};

use super::{
    Case, chain,
    schema::{misfits, properties},
};
use crate::testing::Bench;

const NO_KEY: &str = "surely_not_a_key";

/// A key that the plugin does not know is refused by its name, wherever it stands.
pub fn unknown_keys(case: &Case) -> Vec<String> {
    let (root, config) = match complete(case) {
        Ok(it) => it,
        Err(problem) => return vec![problem],
    };
    let mut places = vec![Vec::new()];
    objects(&root, &root, &config, &mut Vec::new(), &mut places);
    let tried = places.into_iter().filter_map(|place| {
        let mut bad = config.clone();
        at(&mut bad, &place)?.as_object_mut()?.insert(NO_KEY.into(), true.into());
        refused(case, bad, NO_KEY, &format!("an unknown key in `config.{}`", place.join(".")))
    });
    tried.collect()
}

/// A value of a wrong type is refused with the name of its key.
pub fn wrong_types(case: &Case) -> Vec<String> {
    let (root, config) = match complete(case) {
        Ok(it) => it,
        Err(problem) => return vec![problem],
    };
    let mut places = vec![Vec::new()];
    objects(&root, &root, &config, &mut Vec::new(), &mut places);
    let mut problems = Vec::new();
    for place in places {
        let mut whole = config.clone();
        let keys =
            at(&mut whole, &place).and_then(|it| Some(it.as_object()?.keys().cloned().collect::<Vec<_>>()));
        for key in keys.unwrap_or_default() {
            let mut path = place.clone();
            path.push(key.clone());
            // What fits everywhere is free: then there is no wrong type.
            let wrong =
                [json!([[{}]]), json!("surely no value"), json!(-1.5)].into_iter().find_map(|value| {
                    let mut bad = config.clone();
                    *at(&mut bad, &path)? = value;
                    (!misfits(&root, &root, &bad, "config").is_empty()).then_some(bad)
                });
            let what = format!("a wrong type of `config.{}`", path.join("."));
            problems.extend(wrong.and_then(|bad| refused(case, bad, &key, &what)));
        }
    }
    problems
}

/// The schema, and the case's configuration with every default.
fn complete(case: &Case) -> Result<(Value, Value), String> {
    let bench = case.bench().map_err(|it| chain(&it))?;
    let config = (case.descriptor.complete)(bench.config().clone()).map_err(|it| chain(&it))?;
    Ok(((case.descriptor.config_schema)(), config))
}

/// Paths of the objects in `value` whose keys the schema knows, without the outermost.
fn objects(
    root: &Value,
    schema: &Value,
    value: &Value,
    path: &mut Vec<String>,
    found: &mut Vec<Vec<String>>,
) {
    let (Some(object), Some(properties)) = (value.as_object(), properties(root, schema)) else { return };
    if !path.is_empty() {
        found.push(path.clone());
    }
    for (key, value) in object {
        if let Some(schema) = properties.get(key) {
            path.push(key.clone());
            objects(root, schema, value, path, found);
            path.pop();
        }
    }
}

fn at<'a>(value: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |it, key| it.get_mut(key))
}

/// What is wrong when the plugin is to be built from a bad configuration.
fn refused(case: &Case, bad: Value, key: &str, what: &str) -> Option<String> {
    let start = |mut bench: Bench| bench.configure(bad).start().map(drop);
    match case.bench().and_then(start) {
        Ok(()) => Some(format!("{what} is not refused")),
        Err(error) if chain(&error).contains(key) => None,
        Err(error) => Some(format!("{what} is refused without naming `{key}`: {}", chain(&error))),
    }
}
