//! Checks of a plugin's life: starting, handling, answering, stopping.

use super::{Case, chain, first};
use crate::{Health, Request, testing::Bench};

/// It handles the author's events well.
pub fn samples(case: &Case) -> Vec<String> {
    if case.events.is_empty() && !case.descriptor.topics.is_empty() {
        return vec!["the plugin gets events: give one with `Case::event`".into()];
    }
    first(case.started().and_then(|bench| deliver_all(case, &bench)))
}

fn deliver_all(case: &Case, bench: &Bench) -> Result<(), String> {
    case.events.iter().try_for_each(|event| {
        let delivered = bench.deliver(event.clone());
        delivered.map(drop).map_err(|error| format!("`{}` is not handled: {}", event.name(), chain(&error)))
    })
}

/// It does nothing that its descriptor does not ask for.
pub fn permissions(case: &Case) -> Vec<String> {
    let run = || {
        let mut bench = case.started()?;
        // What is refused is often an error too; it is named here by the permission.
        drop(deliver_all(case, &bench));
        for route in case.descriptor.routes {
            bench.call(Request::new(route.method, route.path)).map_err(|it| chain(&it))?;
        }
        bench.stop().map_err(|it| chain(&it))?;
        Ok(bench.audit())
    };
    match run() {
        Ok(refused) => refused.iter().map(|it| format!("it may not {it}: ask for the permission")).collect(),
        Err(problem) => vec![problem],
    }
}

/// Its routes answer, and nothing else does.
pub fn routes(case: &Case) -> Vec<String> {
    let bench = match case.started() {
        Ok(bench) => bench,
        Err(problem) => return vec![problem],
    };
    let status = |method, path| bench.call(Request::new(method, path)).map(|it| it.status);
    let mut problems = Vec::new();
    for route in case.descriptor.routes {
        let (method, path) = (route.method, route.path);
        match status(method, path) {
            // A name in the path may be one of nothing, and an empty body no good one.
            Ok(404) if !path.contains('{') => problems.push(format!("{method} {path} answers 404")),
            Ok(200..500) => {}
            Ok(status) => problems.push(format!("{method} {path} answers {status}")),
            Err(error) => problems.push(format!("{method} {path}: {}", chain(&error))),
        }
    }
    match status("GET", "/surely/not/a/route") {
        Ok(404) => {}
        Ok(status) => problems.push(format!("a path that is no route answers {status}, not 404")),
        Err(error) => problems.push(chain(&error)),
    }
    problems
}

/// It says how it is; what is degraded has a reason.
pub fn health(case: &Case) -> Vec<String> {
    let health = case.started().and_then(|bench| bench.health().map_err(|it| chain(&it)));
    match health {
        Ok(Health::Degraded(reason)) if reason.trim().is_empty() => {
            vec!["it is degraded and does not say why".into()]
        }
        Ok(_) => Vec::new(),
        Err(problem) => vec![problem],
    }
}

/// It starts and stops in time, and a new instance goes on where the old one was.
pub fn lifecycle(case: &Case) -> Vec<String> {
    let run = || {
        let mut bench = case.started()?;
        deliver_all(case, &bench)?;
        for _ in 0..2 {
            bench.stop().map_err(|it| chain(&it))?;
            let before = bench.state();
            bench.start().map_err(|error| format!("after a stop: {}", chain(&error)))?;
            if bench.state() != before {
                return Err("starting again changes the state".into());
            }
            deliver_all(case, &bench).map_err(|error| format!("after a stop: {error}"))?;
        }
        bench.stop().map_err(|it| chain(&it))
    };
    first(run())
}
