//! What may run, and in which order. Owns resolving dependencies by name and version; pure.

use std::collections::BTreeMap;

use panotti_sdk::Descriptor;
use semver::{Version, VersionReq};

use super::list::{KNOWN, Known};

/// What the settings say of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// It is to run, and needs these beside those of its descriptor.
    Run(Vec<String>),
    /// It is not to run.
    Disabled,
    /// It is to run and cannot, for a reason of its own.
    Failed(String),
}

/// What is to become of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// It is to run, once those of a lower rank do.
    Run {
        /// 0 for one that needs no other.
        rank: usize,
    },
    /// It is not to run.
    Disabled,
    /// It cannot run; why, for a person.
    Failed(String),
}

/// What is to become of each plugin. The same for the same plugins and wishes, whatever their order.
pub fn plan(descriptors: &[Descriptor], wish: impl Fn(&str) -> Wish) -> BTreeMap<&'static str, Plan> {
    resolve(descriptors, KNOWN, wish)
}

/// A plugin another needs, and in which versions; any where only the settings name it.
type Need = (String, Option<&'static str>);

fn resolve(
    descriptors: &[Descriptor],
    known: &[Known],
    wish: impl Fn(&str) -> Wish,
) -> BTreeMap<&'static str, Plan> {
    let versions: BTreeMap<_, _> = descriptors.iter().map(|it| (it.name, it.version)).collect();
    let mut plans = BTreeMap::new();
    let mut open: BTreeMap<&'static str, Vec<Need>> = BTreeMap::new();
    for it in descriptors {
        let twice = descriptors.iter().filter(|other| other.name == it.name).count() > 1;
        let plan = match (wish(it.name), unfit(it)) {
            _ if twice => Plan::Failed(format!("two plugins are called `{}`: rename one", it.name)),
            (Wish::Disabled, _) => Plan::Disabled,
            (_, Some(reason)) | (Wish::Failed(reason), None) => Plan::Failed(reason),
            (Wish::Run(more), None) => {
                let own = it.dependencies.iter().map(|it| (it.name.to_owned(), Some(it.version)));
                open.insert(it.name, own.chain(more.into_iter().map(|it| (it, None))).collect());
                continue;
            }
        };
        plans.insert(it.name, plan);
    }
    while !open.is_empty() {
        let settle = |(name, needs): (&&'static str, &Vec<Need>)| {
            Some((*name, settle(needs, &plans, &open, &versions, known)?))
        };
        let settled: Vec<_> = open.iter().filter_map(settle).collect();
        // Those that are left need each other.
        let settled = if settled.is_empty() { circle(&open) } else { settled };
        for (name, plan) in settled {
            open.remove(name);
            plans.insert(name, plan);
        }
    }
    plans
}

/// Why a plugin cannot run whatever the others do.
fn unfit(it: &Descriptor) -> Option<String> {
    if !is_name(it.name) {
        return Some(format!("`{}` is no name for a plugin: use a-z, 0-9 and _, at most 64", it.name));
    }
    let parse = |what: &str, text: &str| {
        text.parse::<Version>().map_err(|error| format!("its {what} `{text}` is no version: {error}"))
    };
    let fits =
        |sdk: &Version| Version::parse(panotti_sdk::VERSION).is_ok_and(|host| caret(sdk).matches(&host));
    match (parse("version", it.version), parse("SDK version", it.sdk)) {
        (Err(reason), _) | (_, Err(reason)) => Some(reason),
        (Ok(_), Ok(sdk)) if fits(&sdk) => None,
        (Ok(_), Ok(sdk)) => Some(format!(
            "it was built with panotti-sdk {sdk} and this program has {}: build it with that",
            panotti_sdk::VERSION
        )),
    }
}

/// Versions that can stand in for `version`.
fn caret(version: &Version) -> VersionReq {
    VersionReq::parse(&format!("^{version}")).unwrap_or(VersionReq::STAR)
}

/// Whether a plugin may be called that. Only such names become parts of paths.
pub(super) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|it| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// What is to become of one with these needs; `None` while one of them is open.
fn settle(
    needs: &[Need],
    plans: &BTreeMap<&'static str, Plan>,
    open: &BTreeMap<&'static str, Vec<Need>>,
    versions: &BTreeMap<&'static str, &'static str>,
    known: &[Known],
) -> Option<Plan> {
    let mut rank = Some(0);
    for (name, version) in needs {
        let unmet = match plans.get(name.as_str()) {
            _ if version.is_some_and(|it| VersionReq::parse(it).is_err()) => {
                let version = version.unwrap_or_default();
                Some(format!("it needs `{name}` in the version `{version}`, which is no version requirement"))
            }
            None if !open.contains_key(name.as_str()) => Some(absent(name, known)),
            Some(Plan::Disabled) => Some(format!("it needs `{name}`, which is disabled: enable that")),
            _ => mismatch(name, *version, versions),
        };
        if let Some(reason) = unmet {
            return Some(Plan::Failed(reason));
        }
        match plans.get(name.as_str()) {
            Some(Plan::Run { rank: theirs }) => rank = rank.map(|it: usize| it.max(theirs + 1)),
            Some(_) => return Some(Plan::Failed(format!("it needs `{name}`, which cannot run"))),
            None => rank = None,
        }
    }
    rank.map(|rank| Plan::Run { rank })
}

fn absent(name: &str, known: &[Known]) -> String {
    match known.iter().find(|it| it.name == name) {
        Some(it) => format!(
            "it needs `{name}`, which is not in this binary: build it with the cargo feature `{}`",
            it.feature
        ),
        None => format!("it needs `{name}`, and there is no such plugin"),
    }
}

fn mismatch(
    name: &str,
    needed: Option<&'static str>,
    versions: &BTreeMap<&'static str, &'static str>,
) -> Option<String> {
    let (needed, there) = (needed?, versions.get(name)?);
    let fits = VersionReq::parse(needed).ok()?.matches(&Version::parse(there).ok()?);
    (!fits).then(|| format!("it needs `{name}` {needed} and this binary has {there}"))
}

/// A circle among plugins that all wait for each other, as what becomes of its members.
fn circle(open: &BTreeMap<&'static str, Vec<Need>>) -> Vec<(&'static str, Plan)> {
    let next = |name: &str| {
        let waits = |other: &&&'static str| open[name].iter().any(|need| need.0 == ***other);
        open.keys().find(waits).copied()
    };
    let mut way: Vec<&'static str> = open.keys().take(1).copied().collect();
    while let Some(name) = way.last().and_then(|it| next(it)) {
        if let Some(first) = way.iter().position(|it| *it == name) {
            let circle = &way[first..];
            let drawn = [circle, &[name]].concat().join(" → ");
            let reason = format!("it needs itself: {drawn}; take one of these dependencies away");
            return circle.iter().map(|it| (*it, Plan::Failed(reason.clone()))).collect();
        }
        way.push(name);
    }
    // Nobody waits, which `resolve` has ruled out; what is left is given up and not waited for.
    open.keys().map(|it| (*it, Plan::Failed("it waits for no other and does not run".into()))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use panotti_sdk::{Configured, Context, Delivery, Dependency, HandlerError, Outbox, Plugin, PluginError};
    use proptest::prelude::*;

    use super::*;

    struct Idle;

    #[panotti_sdk::async_trait]
    impl Plugin for Idle {
        async fn handle(&self, _: &Delivery) -> Result<Outbox, HandlerError> {
            Ok(Outbox::new())
        }
    }

    impl Configured for Idle {
        type Config = ();

        fn new((): (), _: Context) -> Result<Self, PluginError> {
            Ok(Self)
        }
    }

    const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

    fn plugin(
        name: &'static str,
        version: &'static str,
        needs: &[(&'static str, &'static str)],
    ) -> Descriptor {
        let needs: Vec<_> = needs.iter().map(|(name, version)| Dependency { name, version }).collect();
        Descriptor { dependencies: needs.leak(), ..Descriptor::of::<Idle>(name, version, "") }
    }

    fn all(_: &str) -> Wish {
        Wish::Run(Vec::new())
    }

    fn reason(plans: &BTreeMap<&'static str, Plan>, name: &str) -> String {
        match &plans[name] {
            Plan::Failed(reason) => reason.clone(),
            other => panic!("{name} is {other:?}"),
        }
    }

    #[test]
    fn each_reason_is_named_and_hurts_only_dependents() {
        let known = [Known { name: "gone", feature: "plugin-gone" }];
        let plugins = [
            plugin("base", "1.4.2", &[]),
            plugin("fits", "1.0.0", &[("base", "^1.2")]),
            plugin("top", "1.0.0", &[("fits", "*"), ("base", "=1.4.2")]),
            plugin("newer", "1.0.0", &[("base", "^2")]),
            plugin("lost", "1.0.0", &[("nobody", "^1")]),
            plugin("lean", "1.0.0", &[("gone", "^1")]),
            plugin("off", "1.0.0", &[]),
            plugin("needs_off", "1.0.0", &[("off", "^1")]),
            plugin("bad", "1.0.0", &[]),
            plugin("needs_bad", "1.0.0", &[("bad", "^1")]),
            plugin("further", "1.0.0", &[("needs_bad", "^1")]),
            plugin("by_settings", "1.0.0", &[]),
            plugin("riddle", "1.0.0", &[("base", "soon")]),
            plugin("x", "1.0.0", &[("y", "^1")]),
            plugin("y", "1.0.0", &[("z", "^1")]),
            plugin("z", "1.0.0", &[("x", "^1")]),
            plugin("after_x", "1.0.0", &[("x", "^1")]),
            plugin("self_love", "1.0.0", &[("self_love", "^1")]),
            plugin("unversioned", "one", &[]),
            plugin("../etc", "1.0.0", &[]),
            Descriptor { sdk: "99.0.0", ..plugin("foreign", "1.0.0", &[]) },
        ];
        let wish = |name: &str| match name {
            "off" => Wish::Disabled,
            "bad" => Wish::Failed("its settings are wrong".into()),
            "by_settings" => Wish::Run(vec!["base".into(), "off".into()]),
            _ => Wish::Run(Vec::new()),
        };
        let plans = resolve(&plugins, &known, wish);
        assert_eq!(plans["base"], Plan::Run { rank: 0 });
        assert_eq!(plans["fits"], Plan::Run { rank: 1 });
        assert_eq!(plans["top"], Plan::Run { rank: 2 });
        assert_eq!(plans["off"], Plan::Disabled);
        let circle = "it needs itself: x → y → z → x; take one of these dependencies away";
        for (name, expected) in [
            ("newer", "it needs `base` ^2 and this binary has 1.4.2"),
            ("lost", "it needs `nobody`, and there is no such plugin"),
            (
                "lean",
                "it needs `gone`, which is not in this binary: build it with the cargo feature `plugin-gone`",
            ),
            ("needs_off", "it needs `off`, which is disabled: enable that"),
            ("bad", "its settings are wrong"),
            ("needs_bad", "it needs `bad`, which cannot run"),
            ("further", "it needs `needs_bad`, which cannot run"),
            ("by_settings", "it needs `off`, which is disabled: enable that"),
            ("x", circle),
            ("y", circle),
            ("z", circle),
            ("after_x", "it needs `x`, which cannot run"),
            ("self_love", "it needs itself: self_love → self_love; take one of these dependencies away"),
        ] {
            assert_eq!(reason(&plans, name), expected, "{name}");
        }
        assert!(reason(&plans, "riddle").contains("`soon`"));
        assert!(reason(&plans, "unversioned").contains("its version `one`"));
        assert!(reason(&plans, "../etc").contains("is no name for a plugin"));
        assert!(reason(&plans, "foreign").contains("panotti-sdk 99.0.0"));
    }

    #[test]
    fn two_of_one_name_do_not_run() {
        let plans =
            plan(&[plugin("a", "1.0.0", &[]), plugin("a", "2.0.0", &[]), plugin("b", "1.0.0", &[])], all);
        assert!(reason(&plans, "a").contains("two plugins"));
        assert_eq!(plans["b"], Plan::Run { rank: 0 });
    }

    /// Who can run, by definition: nobody of whom anything it needs, however far away, is out of order or
    /// the plugin itself.
    fn may_run(name: &str, needs: &BTreeMap<&str, Vec<&str>>, out: &BTreeSet<&str>) -> bool {
        let (mut seen, mut next) = (BTreeSet::new(), vec![name]);
        while let Some(it) = next.pop() {
            if out.contains(it) {
                return false;
            }
            for need in &needs[it] {
                let circular = {
                    let (mut far, mut way) = (BTreeSet::new(), vec![*need]);
                    while let Some(step) = way.pop() {
                        if far.insert(step) {
                            way.extend(needs.get(step).into_iter().flatten());
                        }
                    }
                    far.contains(it)
                };
                if circular {
                    return false;
                }
                if seen.insert(*need) {
                    next.push(need);
                }
            }
        }
        true
    }

    proptest! {
        #[test]
        fn as_by_definition(
            edges in proptest::collection::vec((0..8usize, 0..8usize, any::<bool>()), 0..14),
            out in proptest::collection::btree_map(0..8usize, any::<bool>(), 0..3),
            turn in 0..8usize,
        ) {
            let needs: BTreeMap<&str, Vec<&str>> = NAMES.iter().enumerate().map(|(index, name)| {
                (*name, edges.iter().filter(|it| it.0 == index).map(|it| NAMES[it.1]).collect())
            }).collect();
            let own = |index: usize| -> Vec<_> {
                edges.iter().filter(|it| it.0 == index && it.2).map(|it| (NAMES[it.1], "^1.0")).collect()
            };
            let mut plugins: Vec<_> =
                NAMES.iter().enumerate().map(|(index, name)| plugin(name, "1.2.3", &own(index))).collect();
            let wish = |name: &str| {
                let index = NAMES.iter().position(|it| *it == name).unwrap();
                match out.get(&index) {
                    Some(true) => Wish::Disabled,
                    Some(false) => Wish::Failed("broken".into()),
                    None => {
                        let more = edges.iter().filter(|it| it.0 == index && !it.2);
                        Wish::Run(more.map(|it| NAMES[it.1].to_owned()).collect())
                    }
                }
            };
            let plans = plan(&plugins, wish);
            let not_there: BTreeSet<_> = out.keys().map(|it| NAMES[*it]).collect();
            for (index, name) in NAMES.iter().enumerate() {
                match &plans[name] {
                    Plan::Run { rank } => {
                        prop_assert!(may_run(name, &needs, &not_there), "{name} runs");
                        for need in &needs[name] {
                            let first = matches!(&plans[need], Plan::Run { rank: theirs } if theirs < rank);
                            prop_assert!(first, "{name} starts before {need}");
                        }
                    }
                    Plan::Disabled => prop_assert_eq!(out.get(&index), Some(&true)),
                    Plan::Failed(_) => prop_assert!(!may_run(name, &needs, &not_there), "{name} is kept back"),
                }
            }
            plugins.rotate_left(turn);
            prop_assert_eq!(plan(&plugins, wish), plans);
        }
    }
}
