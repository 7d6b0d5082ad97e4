//! Notes without a model, on sentences of the meetings that the demo model was made for.

use super::meeting;
use crate::{Notes, extract};

fn notes(said: &[&str]) -> Notes {
    let said: Vec<_> = said.iter().map(|it| ("Room", *it)).collect();
    extract(&meeting(&said, &[]))
}

/// Owner, text and date of each action item; `-` where there is none.
fn actions(notes: &Notes) -> Vec<String> {
    let or = |it: &Option<String>| it.clone().unwrap_or_else(|| "-".into());
    notes.actions.iter().map(|it| format!("{}|{}|{}", or(&it.owner), it.text, or(&it.due))).collect()
}

#[test]
fn tasks_have_owners_and_dates() {
    for (said, expected) in [
        (
            "On Friday, Rachel will postpone the updated recording.",
            "Rachel|Postpone the updated recording|On Friday",
        ),
        ("Susan is going to present the updated document.", "Susan|Present the updated document|-"),
        ("Frank will postpone the diagram on Monday.", "Frank|Postpone the diagram|on Monday"),
        ("The action item for Chris is to publish the audit.", "Chris|Publish the audit|-"),
        (
            "Linda and Daniel will test the platform update this quarter.",
            "Linda, Daniel|Test the platform update|this quarter",
        ),
        ("Brian will translate the updated memo.", "Brian|Translate the updated memo|-"),
        ("Nina and George will update the roadmap right now.", "Nina, George|Update the roadmap|right now"),
        (
            "Robert, your action item is to translate the inventory budget by Saturday.",
            "Robert|Translate the inventory budget|by Saturday",
        ),
        (
            "Could someone update the website by the end of the week?",
            "-|Update the website|by the end of the week",
        ),
        ("Can you rewrite the database team this quarter?", "-|Rewrite the database team|this quarter"),
        (
            "Please send the old presentation to Simon tomorrow.",
            "-|Send the old presentation to Simon|tomorrow",
        ),
        ("Please do not update the summary yet.", "-|Do not update the summary yet|-"),
        ("Don't forget to finish the launch changes after lunch.", "-|Finish the launch changes|after lunch"),
        (
            "I will document the presentation by the end of the week.",
            "Room|Document the presentation|by the end of the week",
        ),
        ("Okay, I will rewrite the microphone status.", "Room|Rewrite the microphone status|-"),
        (
            "I'll send the offer to Maria before the next meeting.",
            "Room|Send the offer to Maria|before the next meeting",
        ),
        ("Could you please check the contract, Anna?", "Anna|Check the contract|-"),
        ("Anna, could you check the contract by December 6th?", "Anna|Check the contract|by December 6th"),
        ("The final agenda should be shared after lunch.", "-|The final agenda should be shared|after lunch"),
        (
            "By September 27th, the schedule meeting must be sent.",
            "-|By September 27th, the schedule meeting must be sent|By September 27th",
        ),
        (
            "We agreed to document the first document by Saturday.",
            "-|Document the first document|by Saturday",
        ),
        ("We agreed that Maria will share the roadmap.", "Maria|Share the roadmap|-"),
    ] {
        assert_eq!(actions(&notes(&[said])), [expected], "{said}");
    }
}

#[test]
fn what_is_no_task_is_not_made_one() {
    for said in [
        "From Sunday to Friday, I will be in Zurich.",
        "Today we will discuss the presentation and the agenda.",
        "Anna is traveling to Oslo this week.",
        "The software and security teams will work together.",
        "Version 6.2 of the backup will be released before the next meeting.",
        "The transcript will be ready in eight minutes.",
        "It will take about eight months to check the feedback.",
        "Project Delta will be finished next month.",
        "Project Apollo is six weeks behind schedule.",
        "Helen, would you like to start?",
        "Remember that the launch is fast.",
        "I can't hear you, Julia, please check your microphone.",
        "If the infrastructure plan is not ready on April 3rd, we will print the estimate.",
        "The sales team needs more time.",
        "When can we deliver the architecture status?",
        "I am not sure about the customer.",
        "Project Apollo will replace the old system.",
    ] {
        assert_eq!(actions(&notes(&[said])), Vec::<String>::new(), "{said}");
    }
    let said = ["The marketing plan is old.", "Marketing will cost more than last year and will shrink."];
    assert_eq!(actions(&notes(&said)), Vec::<String>::new(), "a word that is also said small is no name");
}

#[test]
fn decisions() {
    for said in [
        "The board approved the camera this morning.",
        "We agreed to document the first document by Saturday.",
        "We agreed that Maria will share the roadmap.",
        "We decided not to measure the final diagram.",
        "We decided to change the old summary.",
        "The decision about the display is final.",
        "Okay, let's go with the second supplier.",
    ] {
        assert_eq!(notes(&[said]).decisions, [said]);
    }
    for said in [
        "Did our manager approve the launch report?",
        "We have not decided on the supplier yet.",
        "Have we agreed on the supplier?",
        "I disagree, the new transcript is important.",
    ] {
        assert_eq!(notes(&[said]).decisions, Vec::<String>::new(), "{said}");
    }
    let said = ["So the launch moves to March.", "Agreed."];
    assert_eq!(notes(&said).decisions, [said[0]], "what was agreed to stands in the sentence before");
}

#[test]
fn questions_and_next_steps() {
    let found = notes(&[
        "What is the plan for next month?",
        "Did the customer sign the architecture?",
        "Should we explain the supplier plan or improve the policy?",
        "Helen, would you like to start?",
        "Are there any other questions about the final recording?",
        "The next meeting is on Wednesday at 7:15.",
        "The deadline for the old diagram is December 6th.",
        "We have to check the final slides right now.",
        "Let's ask everyone about the interview.",
        "Let's move on to the next item.",
    ]);
    let questions = &found.topics.last().unwrap();
    assert_eq!(questions.heading, "Questions asked");
    assert_eq!(
        questions.points,
        [
            "Room: What is the plan for next month?",
            "Room: Did the customer sign the architecture?",
            "Room: Should we explain the supplier plan or improve the policy?",
        ]
    );
    assert_eq!(
        found.next_steps,
        [
            "The next meeting is on Wednesday at 7:15.",
            "The deadline for the old diagram is December 6th.",
            "We have to check the final slides right now.",
            "Let's ask everyone about the interview.",
        ]
    );
}

#[test]
fn owners_are_named_as_the_attendees_are() {
    let said = [("Ada", "I'll call the supplier."), ("", "Bob will check the invoice by Friday.")];
    let found = extract(&meeting(&said, &["Ada Lovelace", "bob.smith@example.org"]));
    assert_eq!(
        actions(&found),
        ["Ada Lovelace|Call the supplier|-", "bob.smith@example.org|Check the invoice|by Friday"]
    );
    let unknown = extract(&meeting(&[("", "I'll call the supplier.")], &[]));
    assert_eq!(actions(&unknown), ["-|Call the supplier|-"], "nobody knows who spoke");
}

#[test]
fn sentences_go_over_the_ends_of_lines() {
    let said =
        [("Ada", "On Friday, Rachel will"), ("Ada", "send the offer. Version 6.2 is"), ("Ada", "out.")];
    let found = extract(&meeting(&said, &[]));
    assert_eq!(actions(&found), ["Rachel|Send the offer|On Friday"]);
    let said = [("Ada", "On Friday, Rachel will"), ("Bob", "Right."), ("Ada", "send the offer.")];
    let mut meeting = meeting(&said, &[]);
    assert_eq!(actions(&extract(&meeting)), Vec::<String>::new(), "after a pause it is another sentence");
    // Bob speaks at the same time.
    (meeting.lines[0].end_ms, meeting.lines[2].start_ms) = (9000, 10_000);
    assert_eq!(actions(&extract(&meeting)), ["Rachel|Send the offer|On Friday"]);
}

#[test]
fn subjects_and_summary_come_from_what_was_said_most() {
    let said = [
        "The supplier contract ends in July.",
        "A new supplier contract costs more than the old one.",
        "Did anybody read the supplier contract?",
        "It rains.",
        "The warehouse in Oslo has room for the new machines.",
        "The contract with the warehouse ends soon.",
    ];
    let found = notes(&said);
    assert_eq!(found.topics[0].heading, "Supplier contract, ends, warehouse");
    assert!(found.topics[0].points.iter().all(|it| said.contains(&it.as_str())), "{:?}", found.topics);
    assert!(found.summary.starts_with(
        "The meeting took 30 seconds; no decisions, no action items and 1 question were found in what was said. "
    ));
    assert_eq!(found, notes(&said), "the same meeting has the same notes");

    let long: Vec<_> = (0..720).map(|it| ("Room", said[it % 3 + 3 * usize::from(it > 360)])).collect();
    let found = extract(&meeting(&long, &[]));
    assert_eq!(found.topics.len(), 7, "an hour has six stretches, and its questions");
    assert!(found.topics[0].heading.starts_with("00:00 to 10:00: "), "{:?}", found.topics[0]);
    assert!(found.topics[0].heading.contains("upplier contract"), "{:?}", found.topics[0]);
    assert!(found.topics[5].heading.starts_with("50:00 to 1:00:00: "), "{:?}", found.topics[5]);
    assert!(found.topics[5].heading.contains("arehouse"), "{:?}", found.topics[5]);
}

#[test]
fn nothing_said_is_told_as_that() {
    let found = notes(&[]);
    assert_eq!(
        found,
        Notes { summary: "Nothing was said, or nothing was understood.".into(), ..Notes::default() }
    );
}
