//! From publishing to all plugins having the event, beside the same number of bare subscriptions, whose
//! handlers are called on the bus's own runtime. Both are measured by turns, and the run in the middle counts
//! for each figure. Owns publishing and waiting.

use std::{
    fs,
    future::Future,
    num::NonZeroUsize,
    path::Path,
    pin::Pin,
    time::{Duration, Instant},
};

use panotti::{
    bus::{Answer, Bus, Effects, Handler, Subscription},
    event_log::{Batch, EventLog},
};
use panotti_sdk::{
    Delivery, Filter, NewEvent, names,
    payloads::{CaptionPublished, Segment},
};
use tokio::{runtime::Handle, sync::mpsc};

use super::{World, many, median, ms, on_a_runtime, row, thousands};

const COUNTS: [usize; 3] = [1, 10, 50];
/// Deliveries while many are published.
const DELIVERIES: usize = 50_000;
/// Publishers then.
const PUBLISHERS: usize = 64;
/// Events that are published one by one.
const SINGLE: usize = 100;
/// Runs of each.
const RUNS: usize = 5;
/// Rest before each of them: what followed the one before is done by then.
const REST: Duration = Duration::from_millis(20);

struct Tells(mpsc::UnboundedSender<Instant>);

impl Handler for Tells {
    fn handle(&self, _: Delivery) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        // What is still delivered at the end is told to nobody.
        self.0.send(Instant::now()).ok();
        Box::pin(async { Ok(Effects::default()) })
    }
}

/// What was measured of one kind of handler.
struct Figures {
    /// From before publishing to each handler, and to the last one, ms.
    each: (f64, f64),
    last: (f64, f64),
    /// Deliveries handled each second, of one publishing with them.
    handled: f64,
    /// Processor time of a delivery then, with its share of the publishing, µs.
    cpu_us: f64,
}

/// Processor time that this process has taken, s; in steps of 10 ms.
fn processor_time() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // "utime" and "stime", the 14th and 15th; the name before them may hold blanks.
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.map(|it| it.parse::<u64>().unwrap()).sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

fn caption(n: u64) -> Batch {
    let text = "Then we agree that the second milestone moves to the end of March.";
    let segment = Segment {
        start_ms: n * 20,
        end_ms: n * 20 + 3200,
        speaker: None,
        text: text.into(),
        words: Vec::new(),
        confidence: 0.5,
    };
    let caption = CaptionPublished { recording_id: "20250117225532_4AFEA8B6".into(), segment };
    let event = NewEvent::of(names::CAPTION_PUBLISHED, &caption).from_source("core");
    Batch { events: vec![event], ..Batch::default() }
}

async fn measure(log: &EventLog, handlers: usize, calls: &mut mpsc::UnboundedReceiver<Instant>) -> Figures {
    let (mut each, mut last) = (Vec::new(), Vec::new());
    for _ in 0..SINGLE {
        tokio::time::sleep(REST).await;
        let from = Instant::now();
        log.append(caption(1)).await.unwrap();
        let mut waits = Vec::new();
        for _ in 0..handlers {
            waits.push(calls.recv().await.unwrap() - from);
        }
        last.extend(waits.iter().max().copied());
        each.append(&mut waits);
    }
    let published = DELIVERIES / handlers / PUBLISHERS;
    let (start, cpu) = (Instant::now(), processor_time());
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|_| {
            let log = log.clone();
            tokio::spawn(async move {
                for n in 0..published {
                    log.append(caption(n as u64)).await.unwrap();
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.unwrap();
    }
    let deliveries = published * PUBLISHERS * handlers;
    for _ in 0..deliveries {
        calls.recv().await.unwrap();
    }
    let handled = deliveries as f64 / start.elapsed().as_secs_f64();
    let cpu_us = (processor_time() - cpu) * 1e6 / deliveries as f64;
    let two = |of: &mut [Duration]| (ms(of, 0.5), ms(of, 0.99));
    Figures { each: two(&mut each), last: two(&mut last), handled, cpu_us }
}

fn plugins(dir: &Path, count: usize) -> Figures {
    on_a_runtime(async {
        let (sender, mut calls) = mpsc::unbounded_channel();
        *many::CALLS.lock().unwrap() = Some(sender);
        let world = World::new(dir, many::descriptors(count)).await;
        *many::CALLS.lock().unwrap() = None;
        let figures = measure(&world.log, count, &mut calls).await;
        world.stop().await;
        figures
    })
}

fn bare(dir: &Path, count: usize) -> Figures {
    on_a_runtime(async {
        let log = EventLog::open(&dir.join("events")).unwrap();
        let bus = Bus::start(log.clone(), Handle::current()).unwrap();
        let (sender, mut calls) = mpsc::unbounded_channel();
        let mut running = Vec::new();
        for n in 0..count {
            let filter = Filter { topics: vec![names::CAPTION_PUBLISHED.into()], ..Filter::default() };
            let subscription = Subscription {
                max_concurrent_tasks: NonZeroUsize::new(4).unwrap(),
                ..Subscription::new(&format!("s{n}"), filter)
            };
            running.push(bus.subscribe(subscription, Tells(sender.clone())).await.unwrap());
        }
        let figures = measure(&log, count, &mut calls).await;
        for it in running {
            it.stop(Duration::from_secs(10)).await;
        }
        bus.stop().await;
        figures
    })
}

/// Each figure's run in the middle.
fn middle(runs: &[Figures]) -> Figures {
    let of = |figure: &dyn Fn(&Figures) -> f64| median(runs.iter().map(figure).collect());
    Figures {
        each: (of(&|it| it.each.0), of(&|it| it.each.1)),
        last: (of(&|it| it.last.0), of(&|it| it.last.1)),
        handled: of(&|it| it.handled),
        cpu_us: of(&|it| it.cpu_us),
    }
}

pub(super) fn run(dir: &Path) {
    for count in COUNTS {
        let (mut ours, mut peers) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            for (runs, measure) in [(&mut peers, bare as fn(&Path, usize) -> _), (&mut ours, plugins)] {
                let place = dir.join("dispatch");
                runs.push(measure(&place, count));
                fs::remove_dir_all(place).unwrap();
            }
        }
        let (ours, peers) = (middle(&ours), middle(&peers));
        let both = |(p50, p99): (f64, f64)| format!("{p50:.2} / {p99:.2}");
        row(
            &format!("publish to handler, idle, {count}: p50 / p99, ms"),
            &both(ours.each),
            &both(peers.each),
        );
        row(
            &format!("publish to the last of {count}, idle: p50 / p99, ms"),
            &both(ours.last),
            &both(peers.last),
        );
        row(
            &format!("handled by {count}, {PUBLISHERS} publishers: deliveries/s"),
            &thousands(ours.handled),
            &thousands(peers.handled),
        );
        row(
            &format!("processor time of a delivery to one of {count}, with its share of publishing, µs"),
            &format!("{:.1}", ours.cpu_us),
            &format!("{:.1}", peers.cpu_us),
        );
    }
}
