//! What speakers are called, by whom and when.

use super::*;

#[tokio::test]
async fn speakers_keep_the_names_they_have_by_now() {
    let it = bench();
    let id = it.recordings.start(NewRecording::default()).await.unwrap().id;
    let named = |names: &[(&str, &str)]| {
        let names = names.iter().map(|(label, name)| ((*label).into(), (*name).into())).collect();
        it.recordings.update(&id, Patch { speakers: Some(names), ..Patch::default() })
    };
    let by = |from_s: u64, speaker: &str| Segment {
        start_ms: from_s * 1000,
        end_ms: from_s * 1000 + 900,
        speaker: Some(speaker.into()),
        ..said("Yes.")
    };
    let caption = |from_s, speaker| it.recordings.caption(&id, &by(from_s, speaker)).unwrap();
    let speakers = |transcript: &Transcript| {
        let speakers = transcript.segments.iter().map(|it| it.speaker.clone().unwrap());
        speakers.collect::<Vec<_>>().join(", ")
    };
    let shown = || speakers(&it.recordings.transcript(&id).unwrap().unwrap());
    caption(0, "Speaker 1");
    caption(1, "Speaker 2");
    named(&[("Speaker 1", "Ada"), ("Speaker 2", "Bo")]).await.unwrap();
    caption(2, "Speaker 1");
    caption(3, "Speaker 2");
    assert_eq!(shown(), "Ada, Bo, Ada, Bo");
    named(&[("Ada", "Bo"), ("Bo", "Ada")]).await.unwrap();
    caption(4, "Speaker 1");
    caption(5, "Speaker 2");
    assert_eq!(shown(), "Bo, Ada, Bo, Ada, Bo, Ada");
    // Heard by the final pass in another order, with somebody nobody heard before.
    let heard = ["2", "1", "2", "1", "2", "1", "3"].iter().zip(0..);
    let segments = heard.map(|(number, at)| by(at, &format!("Speaker {number}"))).collect();
    let mut transcript = Transcript { segments, ..Transcript::default() };
    it.recordings.keep_names(&id, &mut transcript).unwrap();
    it.recordings.stop(&id).await.unwrap();
    it.recordings.written_down(&id, &transcript, None).unwrap();
    assert_eq!(shown(), "Bo, Ada, Bo, Ada, Bo, Ada, Speaker 3");

    // Two labels with one name are one speaker, whoever of the two was heard for longer.
    let id = it.recordings.start(NewRecording::default()).await.unwrap().id;
    let names = [("Speaker 1", "Ada"), ("Speaker 2", "Ada"), ("Speaker 4", "Bo")];
    let names = names.iter().map(|(label, name)| ((*label).into(), (*name).into())).collect();
    for (at, speaker) in ["Speaker 1", "Speaker 2", "Speaker 3", "Speaker 3"].into_iter().enumerate() {
        it.recordings.caption(&id, &by(at as u64, speaker)).unwrap();
    }
    it.recordings.update(&id, Patch { speakers: Some(names), ..Patch::default() }).await.unwrap();
    let heard = ["1", "1", "1", "2", "3"].iter().zip(0..);
    let segments = heard.map(|(number, at)| by(at, &format!("Speaker {number}"))).collect();
    let mut transcript = Transcript { segments, ..Transcript::default() };
    it.recordings.keep_names(&id, &mut transcript).unwrap();
    // The number 4 has a name, which is another's.
    assert_eq!(speakers(&transcript), "Speaker 1, Speaker 1, Speaker 1, Speaker 3, Speaker 5");
}
