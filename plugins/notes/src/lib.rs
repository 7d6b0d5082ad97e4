//! What the plugins that write meeting notes have in common: the meeting as data, the form of the notes, the
//! questions to a language model and the judgement of its answers, and notes without a model. Leaves settings,
//! and how a model is reached, to the plugins.

mod answer;
mod extract;
mod form;
mod http;
mod meeting;
mod owners;
mod prompt;
mod split;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub use extract::extract;
pub use form::{Action, Notes, Topic, render};
pub use http::{Reply, base_url, is_this_machine, post};
pub use meeting::{Line, Meeting};
pub use prompt::Prompt;
pub use split::tokens;
pub use store::{Store, Written, given_up};
pub use write::{AskError, Budget, Model, WriteError, write};
