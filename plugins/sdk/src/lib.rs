//! What a Panotti plugin is written against. Owns the event as everyone sees it; leaves storage,
//! delivery and the plugin host to the `panotti` package. It does no I/O.

mod event;
pub mod names;

pub use event::{Event, EventContext, EventName, InvalidEventName, NewEvent, Priority};
