//! The page in a real browser against a real box: what a user does from the first visit to the last click.

use serde_json::json;

use crate::{
    browser::Browser,
    harness::{KEY, Setup, fixture},
};

/// An expression: the text of an element.
fn text(id: &str) -> String {
    format!("document.getElementById('{id}').textContent")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_from_the_key_to_the_transcript() {
    let Some(browser) = Browser::open().await else { return };
    let panotti = Setup::hearing_wav(&fixture("speech/meeting-0.wav")).start();
    browser.visit(&panotti.url("/")).await;

    browser.write("#key", "not the key").await;
    browser.click("#enter").await;
    browser.until(&format!("{}.includes('not valid')", text("login-hint"))).await;
    let complaints = browser.complaints().await;
    assert!(complaints.iter().all(|it| it.contains("401")), "the refusal and nothing else: {complaints:?}");
    browser.write("#key", KEY).await;
    browser.click("#enter").await;
    browser.until(&format!("{} === 'Connected'", text("connection"))).await;
    browser.until("document.querySelector('meter')?.value > -60").await;

    browser.write("#title", "Plans <b>and</b> slides").await;
    browser.write("#attendees", "Ada, Grace").await;
    browser.click("#start").await;
    browser.until(&format!("{} === 'Recording'", text("running-state"))).await;
    browser.until("document.querySelectorAll('#captions li').length >= 2").await;
    assert_eq!(browser.run(&format!("return {}", text("running-title"))).await, "Plans <b>and</b> slides");
    browser.picture("captions").await;
    browser.click("#pause").await;
    browser.until(&format!("{} === 'Paused'", text("running-state"))).await;
    browser.click("#resume").await;
    browser.until(&format!("{} === 'Recording'", text("running-state"))).await;

    // A visitor who comes late sees what was said before.
    let shown = "document.querySelectorAll('#captions li').length";
    let before = browser.run(&format!("return {shown}")).await.as_u64().unwrap();
    browser.visit(&panotti.url("/")).await;
    browser.until(&format!("{shown} >= {before}")).await;

    browser.click("#stop").await;
    let id = panotti.get("/recordings").await["items"][0]["id"].as_str().unwrap().to_owned();
    let recording = panotti.done(&id).await;
    assert_eq!(recording["attendees"], json!(["Ada", "Grace"]));
    let transcript = panotti.get(&format!("/recordings/{id}/transcript?format=json")).await;
    let said = transcript["segments"].as_array().unwrap();
    browser.until(&format!("document.querySelectorAll('#transcript li').length === {}", said.len())).await;
    // The captions stand there until the transcript has come.
    let first = json!(said[0]["text"].as_str().unwrap().trim()).to_string();
    browser.until(&format!("document.querySelector('#transcript li').innerText.includes({first})")).await;

    let last = said.last().unwrap()["start"].as_f64().unwrap();
    browser.until("document.getElementById('player').readyState >= 1").await;
    browser.click("#transcript li:last-child button").await;
    browser.until(&format!("document.getElementById('player').currentTime > {last}")).await;
    browser.picture("transcript").await;

    browser.click("[aria-label='Download the audio as wav']").await;
    let audio = panotti.request("GET", &format!("/recordings/{id}/audio")).send().await.unwrap();
    assert_eq!(browser.download(&format!("{id}.wav")).await, audio.bytes().await.unwrap());
    browser.click("[aria-label='Download the transcript as srt']").await;
    let srt = browser.download(&format!("{id}.srt")).await;
    assert!(String::from_utf8(srt).unwrap().starts_with("1\n00:00:0"));

    // What the plugins made of it comes by itself, with a message when the notes are there.
    browser.until(&format!("{}.includes('Notes: done')", text("stages"))).await;
    browser.until(&format!("{}.includes('Meeting Information')", text("notes"))).await;
    let heading = browser.run("return document.querySelector('#notes h4').textContent").await;
    assert_eq!(heading, "Plans <b>and</b> slides", "text, not HTML");
    browser.until("document.querySelector('.toast')?.textContent.includes('otes')").await;
    browser.picture("notes").await;
    browser.click(".toast button").await;
    browser.until("!document.querySelector('.toast')").await;

    browser.click("#recordings .remove").await;
    browser.accept().await;
    browser.until("document.getElementById('recordings-empty').checkVisibility()").await;
    assert_eq!(panotti.get("/recordings").await["items"], json!([]));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    let width = browser.run("return document.documentElement.scrollWidth - innerWidth").await;
    assert!(width.as_i64().unwrap() <= 0, "nothing sticks out to the right");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_docs_show_every_operation() {
    let Some(browser) = Browser::open().await else { return };
    let panotti = Setup::hearing_wav(&fixture("speech/meeting-0.wav")).start();
    browser.visit(&panotti.url("/docs/")).await;
    let api = panotti.get("/openapi.json").await;
    let paths = api["paths"].as_object().unwrap().values();
    let operations: usize = paths.map(|it| it.as_object().unwrap().len()).sum();
    browser.until(&format!("document.querySelectorAll('.opblock').length === {operations}")).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
