//! What a Panotti plugin is written against. Owns the event as everyone sees it; leaves storage,
//! delivery and the plugin host to the `panotti` package. Its only I/O is in `files`. For authors: `README.md`.

#[cfg(feature = "testing")]
pub mod conformance;
mod context;
mod delivery;
mod descriptor;
pub mod diarizer;
mod event;
pub mod files;
pub mod filter;
pub mod names;
pub mod payloads;
mod plugin;
mod request;
pub mod schema;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transcript;

pub use async_trait::async_trait;
pub use context::{
    AudioTrack, BoxFuture, Context, ContextError, Dictation, Host, SecretRef, SecretText, SpeechModel, Work,
};
pub use delivery::{Delivery, HandlerError};
pub use descriptor::{
    Configured, Dependency, Descriptor, GivenUp, HOST_SETTINGS, Permissions, Route, Service,
};
pub use event::{Event, EventContext, EventName, EventType, InvalidEventName, NewEvent, Priority};
pub use filter::{Filter, Topic};
pub use plugin::{Health, Outbox, Plugin, PluginError};
pub use request::{Request, Response};

/// The version of this SDK, semver.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The page for authors, whose code is compiled as a test.
#[cfg(all(doctest, feature = "testing"))]
#[doc = include_str!("../README.md")]
struct Readme;

// Their types stand in this crate's own: authors need the same versions.
pub use {jiff, schemars, serde_json, uuid};
