//! As many plugins as are asked for, each of which tells when it handles an event. Owns these plugins.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use panotti_sdk::{
    Configured, Context, Delivery, Descriptor, HandlerError, Outbox, Plugin, PluginError, async_trait,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// Where the plugins that are built next tell of their deliveries.
pub(crate) static CALLS: Mutex<Option<mpsc::UnboundedSender<Instant>>> = Mutex::new(None);

/// As many settings as a small plugin has.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Some text.
    text: String,
    /// A switch.
    switch: bool,
}

struct Tells {
    calls: Option<mpsc::UnboundedSender<Instant>>,
}

impl Configured for Tells {
    type Config = Config;

    fn new(_: Config, _: Context) -> Result<Self, PluginError> {
        let calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Self { calls })
    }
}

#[async_trait]
impl Plugin for Tells {
    async fn handle(&self, _: &Delivery) -> Result<Outbox, HandlerError> {
        if let Some(calls) = &self.calls {
            // What is still delivered at the end is told to nobody.
            calls.send(Instant::now()).ok();
        }
        Ok(Outbox::new())
    }
}

/// `count` plugins that want captions. Descriptors live as long as the process does.
pub(crate) fn descriptors(count: usize) -> &'static [Descriptor] {
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let one = |n: usize| {
        let name = leak(format!("p{n:02}"));
        let example = leak(format!(
            "name: {name}\nversion: \"1.0.0\"\nenabled: true\ndependencies: []\n\
             config:\n  max_concurrent_tasks: 4\n  text: \"\"\n  switch: false\n"
        ));
        Descriptor {
            description: "Tells when it handles an event.",
            topics: &["caption.published"],
            ..Descriptor::of::<Tells>(name, "1.0.0", example)
        }
    };
    Box::leak((0..count).map(one).collect::<Vec<_>>().into_boxed_slice())
}
