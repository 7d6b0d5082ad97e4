//! What a Panotti plugin is written against. Owns the event as everyone sees it; leaves storage,
//! delivery and the plugin host to the `panotti` package. It does no I/O.

mod delivery;
mod event;
pub mod filter;
pub mod names;
pub mod payloads;
pub mod schema;

pub use delivery::{Delivery, HandlerError};
pub use event::{Event, EventContext, EventName, EventType, InvalidEventName, NewEvent, Priority};
pub use filter::Filter;
