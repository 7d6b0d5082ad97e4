//! Checks of what repeats: deliveries after a crash, after being given up, after a panic.

use std::{collections::BTreeMap, sync::Arc};

use super::{Case, chain, first};
use crate::{Event, testing::Bench};

/// More awaits, or calls of the context, than this in one handler are not tried one by one.
const MOST_TRIES: u32 = 16;

/// What a run left behind: the log, and the plugin's state.
type Left = (Vec<Arc<Event>>, BTreeMap<String, Vec<u8>>);

fn left(bench: &Bench) -> Left {
    (bench.events(), bench.state())
}

/// Something that happens to the plugin between an event and its delivery.
type Mishap<'a> = &'a dyn Fn(&mut Bench, &Arc<Event>) -> Result<(), String>;

/// Delivers the author's events after a mishap each.
fn run(case: &Case, mishap: Mishap<'_>) -> Result<Left, String> {
    let mut bench = case.started()?;
    for event in &case.events {
        let event = bench.publish(event.clone());
        mishap(&mut bench, &event)?;
        bench.redeliver(&event).map_err(|error| format!("`{}`: {}", event.name, chain(&error)))?;
    }
    Ok(left(&bench))
}

/// Whether a run with a mishap leaves behind what one without does. What differs between two runs without
/// (a time of day, a random number) is compared by names alone.
fn same(case: &Case, without: Mishap<'_>, with: Mishap<'_>) -> Result<(), String> {
    let (clean, again) = (run(case, without)?, run(case, without)?);
    let found = run(case, with)?;
    let names = |left: &Left| -> Vec<String> { left.0.iter().map(|it| it.name.to_string()).collect() };
    if names(&found) != names(&clean) {
        return Err(format!("the log holds {:?} instead of {:?}", names(&found), names(&clean)));
    }
    let keys = |left: &Left| -> Vec<String> { left.1.keys().cloned().collect() };
    if keys(&found) != keys(&clean) {
        return Err(format!("the state has the keys {:?} instead of {:?}", keys(&found), keys(&clean)));
    }
    if clean.0 == again.0
        && let Some((found, clean)) = found.0.iter().zip(&clean.0).find(|(found, clean)| found != clean)
    {
        return Err(format!("`{}` says {} instead of {}", found.name, found.payload, clean.payload));
    }
    if clean.1 == again.1
        && let Some((key, _)) = found.1.iter().find(|(key, value)| clean.1.get(*key) != Some(*value))
    {
        return Err(format!("the state `{key}` is another"));
    }
    Ok(())
}

fn nothing(_: &mut Bench, _: &Arc<Event>) -> Result<(), String> {
    Ok(())
}

fn restart(bench: &mut Bench, _: &Arc<Event>) -> Result<(), String> {
    bench.start().map(drop).map_err(|it| chain(&it))
}

fn handle(bench: &Bench, event: &Arc<Event>) -> Result<(), String> {
    let handled = bench.handle(event).map(drop);
    handled.map_err(|error| format!("`{}`: {}", event.name, chain(&error)))
}

/// Handling an event again, because what it brought about was lost before it was committed, has the effect
/// of handling it once: in a new instance (the power failed) and in the same one (the time was up).
pub fn redelivery(case: &Case) -> Vec<String> {
    let crash = same(case, &restart, &|bench, event| {
        handle(bench, event)?;
        restart(bench, event)
    });
    let late = same(case, &nothing, &|bench, event| handle(bench, event));
    let told = [(crash, "a crash before the commit"), (late, "a commit that failed")];
    let problems = told.into_iter().filter_map(|(result, when)| {
        Some(format!("an event delivered again after {when}: {}", result.err()?))
    });
    problems.collect()
}

/// Giving up a delivery at any await leaves the plugin able to handle it again.
pub fn cancel(case: &Case) -> Vec<String> {
    let cancelled = same(case, &nothing, &|bench, event| {
        for polls in 1..=MOST_TRIES {
            if !bench.cancel(event, polls).map_err(|it| chain(&it))? {
                break;
            }
        }
        Ok(())
    });
    first(cancelled.map_err(|error| format!("after a delivery was given up: {error}")))
}

/// A panic in `handle` leaves the plugin able to handle the next event: one at each of its calls of the
/// context in turn, and the author's poison.
pub fn panic(case: &Case) -> Vec<String> {
    let panicked = same(case, &nothing, &|bench, event| {
        for call in 1..=MOST_TRIES {
            bench.panic_in_context(Some(call));
            drop(bench.handle(event));
            if !bench.panic_in_context(None) {
                break;
            }
        }
        Ok(())
    });
    let poisoned = same(case, &nothing, &|bench, _| {
        for poison in &case.poison {
            // Another box's event: the logs are to stay comparable.
            let elsewhere = Bench::new(case.descriptor).map_err(|it| chain(&it))?;
            if bench.handle(&elsewhere.publish(poison.clone())).is_ok() {
                return Err(format!("`{}` is no poison: it is handled", poison.name()));
            }
        }
        Ok(())
    });
    let results = [panicked, poisoned].into_iter().filter_map(Result::err);
    results.map(|error| format!("after a panic: {error}")).collect()
}
