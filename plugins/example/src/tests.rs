//! What every plugin passes, and what this one does.

use panotti_sdk::{Health, conformance::Case, names::RECORDING_ENDED, testing::Bench};

use super::*;

fn ended(recording_id: &str) -> NewEvent {
    NewEvent::new(RECORDING_ENDED.into(), json!({ "recording_id": recording_id, "title": "Weekly" }))
}

fn count(bench: &Bench) -> Value {
    let answer = bench.call(Request::new("GET", "/count")).unwrap();
    panotti_sdk::serde_json::from_slice(&answer.body).unwrap()
}

panotti_sdk::conformance!(Case::of(DESCRIPTOR).event(ended("a")).event(ended("b")).event(ended("")));

#[test]
fn meetings_are_counted_and_told_of() {
    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    bench.start().unwrap();
    assert_eq!(count(&bench), json!({ "meetings": 0 }));
    let told = bench.deliver(ended("a")).unwrap();
    assert_eq!((told.len(), told[0].name.as_str()), (1, "example.completed"));
    let time = bench.events()[0].context.timestamp;
    let result = json!({ "status": "completed", "timestamp": time, "recording_id": "a" });
    let metadata = json!({ "example_setting": "value" });
    assert_eq!(told[0].payload, json!({ "recording_id": "a", "example": result, "metadata": metadata }));
    bench.deliver(ended("b")).unwrap();
    bench.stop().unwrap();
    bench.configure(json!({ "debug_mode": true, "example_setting": "mine" })).start().unwrap();
    let told = bench.deliver(ended("c")).unwrap();
    let (key, replayed) = (told[0].context.causation_id.unwrap(), bench.events()[4].clone());
    let metadata = json!({ "example_setting": "mine", "key": key, "attempt": 1 });
    assert_eq!(told[0].payload["metadata"], metadata);
    bench.replay(&replayed).unwrap();
    assert_eq!(count(&bench), json!({ "meetings": 3 }));
    assert_eq!(bench.health().unwrap(), Health::Healthy);
}

#[test]
fn more_meetings_than_one_page_are_counted() {
    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    bench.start().unwrap();
    for number in 0..1001 {
        bench.deliver(ended(&number.to_string())).unwrap();
    }
    assert_eq!(count(&bench), json!({ "meetings": 1001 }));
}

#[test]
fn a_recording_without_an_id_is_an_error_event_and_not_counted() {
    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    bench.start().unwrap();
    for payload in [json!({}), json!({ "recording_id": "" })] {
        let told = bench.deliver(NewEvent::new(RECORDING_ENDED.into(), payload)).unwrap();
        assert_eq!((told.len(), told[0].name.as_str()), (1, "example.error"));
        assert_eq!(told[0].payload["example"]["error"], "the recording has no id: tell its client");
    }
    let unreadable =
        bench.deliver(NewEvent::new(RECORDING_ENDED.into(), json!({ "recording_id": 7 }))).unwrap_err();
    assert!(unreadable.to_string().contains("`recording_id`"), "{unreadable}");
    assert_eq!(count(&bench), json!({ "meetings": 0 }));
}
