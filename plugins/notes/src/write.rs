//! Notes by a language model. Owns asking: parts of long meetings, asking again when an answer cannot be used,
//! joining the parts. Leaves the model's protocol to the plugins and the judgement to `answer`.

use panotti_sdk::{HandlerError, async_trait};

use crate::{Meeting, Notes, Prompt, answer, extract::committed, owners::Owners, prompt::join, split::split};

/// Something that answers prompts.
#[async_trait]
pub trait Model: Send + Sync {
    /// Its answer to `prompt`.
    ///
    /// # Errors
    /// See [`AskError`].
    async fn ask(&self, prompt: &Prompt) -> Result<String, AskError>;
}

/// How much a model takes, tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Prompt and answer together.
    pub context: usize,
    /// Kept free for the answer.
    pub answer: usize,
}

/// Why a model has no answer; each says what happened and what to do.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody is there.
    #[error("{0}")]
    Unreachable(String),
    /// It answers and refuses: a wrong key, a model it does not have. The same again does not help.
    #[error("{0}")]
    Refused(String),
    /// It did not manage: too slow, broken off, an error of its own. It may later.
    #[error("{0}")]
    Failed(String),
    /// It answered with nothing that could be notes: empty, or cut off. It is told so.
    #[error("{0}")]
    Unusable(String),
}

/// Why there are no notes by a model.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It could not be asked.
    #[error(transparent)]
    Ask(AskError),
    /// None of its answers passed.
    #[error("none of {tries} answers of the model could be used: {wrong}")]
    Check {
        /// How many.
        tries: u32,
        /// What was wrong with the last.
        wrong: String,
    },
    /// The context is too small for the instructions and a piece of the meeting.
    #[error("a context of {context} tokens is too small for the notes: set at least 4096")]
    Room {
        /// The context, tokens.
        context: usize,
    },
}

impl From<WriteError> for HandlerError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Ask(AskError::Refused(_)) | WriteError::Room { .. } => Self::permanent(error),
            _ => Self::retryable(error),
        }
    }
}

/// How often a model is asked for one answer.
const TRIES: u32 = 3;
/// Kept free in a prompt for what was wrong with the last answer, tokens.
const COMPLAINT: usize = 250;
/// Less than this of a meeting in one prompt makes no notes, tokens.
const LEAST: usize = 256;

/// The notes of `meeting` by `model`: in one go, or by parts where it does not fit `budget`. The lists of the
/// parts are joined as they are; of their summaries the model makes one.
///
/// # Errors
/// See [`WriteError`].
pub async fn write(model: &dyn Model, meeting: &Meeting, budget: Budget) -> Result<Notes, WriteError> {
    let too_small = WriteError::Room { context: budget.context };
    let Some(prompt_room) = budget.context.checked_sub(budget.answer + COMPLAINT) else {
        return Err(too_small);
    };
    let frame = Prompt::notes(meeting, &[], Some((1000, 1000)), prompt_room).cost();
    let Some(room) = prompt_room.checked_sub(frame).filter(|it| *it >= LEAST) else { return Err(too_small) };
    let mut owners = Owners::of(meeting);
    committed(meeting).iter().for_each(|it| owners.add(it));
    let parts = split(&meeting.lines, room);
    let (mut notes, count) = (Vec::new(), parts.len());
    for (index, lines) in parts.iter().enumerate() {
        let prompt = Prompt::notes(meeting, lines, (count > 1).then_some((index + 1, count)), prompt_room);
        let told = answer::Told { lines, english: meeting.is_english() };
        let judge = |text: &str| answer::notes(text, &prompt, &told, &owners);
        notes.push(ask(model, &prompt, judge).await?);
    }
    let summaries = notes.iter().map(|it: &Notes| it.summary.clone()).collect();
    let summary = condense(model, summaries, prompt_room, meeting.is_english()).await?;
    Ok(Notes { summary, ..join(notes) })
}

/// One summary of several, by several rounds where they do not fit into one prompt.
async fn condense(
    model: &dyn Model,
    mut summaries: Vec<String>,
    room: usize,
    english: bool,
) -> Result<String, WriteError> {
    while summaries.len() > 1 {
        let mut shorter: Vec<String> = Vec::new();
        let mut group: Vec<String> = Vec::new();
        let before = summaries.len();
        for summary in summaries {
            group.push(summary);
            if group.len() > 1 && Prompt::summary(&group).cost() > room {
                let next = group.pop();
                shorter.push(condensed(model, std::mem::take(&mut group), english).await?);
                group.extend(next);
            }
        }
        shorter.push(condensed(model, group, english).await?);
        if shorter.len() == before {
            // Not even two of them fit: they stand one after the other.
            return Ok(shorter.join(" "));
        }
        summaries = shorter;
    }
    Ok(summaries.pop().unwrap_or_default())
}

async fn condensed(model: &dyn Model, mut group: Vec<String>, english: bool) -> Result<String, WriteError> {
    if group.len() < 2 {
        return Ok(group.pop().unwrap_or_default());
    }
    let prompt = Prompt::summary(&group);
    ask(model, &prompt, |text| answer::summary(text, &prompt, &group, english)).await
}

/// Asks until an answer passes, telling each time what was wrong with the one before.
async fn ask<T>(
    model: &dyn Model,
    prompt: &Prompt,
    judge: impl Fn(&str) -> Result<T, String>,
) -> Result<T, WriteError> {
    let mut wrong = String::new();
    for attempt in 1..=TRIES {
        let again;
        let asked = if attempt == 1 {
            prompt
        } else {
            again = prompt.again(&wrong);
            &again
        };
        let judged = match model.ask(asked).await {
            Ok(text) => judge(&text),
            Err(AskError::Unusable(wrong)) => Err(wrong),
            Err(error) => return Err(WriteError::Ask(error)),
        };
        match judged {
            Ok(it) => return Ok(it),
            Err(found) => wrong = found.chars().take(300).collect(),
        }
    }
    Err(WriteError::Check { tries: TRIES, wrong })
}
