//! The transcriber of the process. Owns loading it, and telling how it is.

use std::time::Instant;

use panotti_sdk::{SpeechModel, names, payloads};

use super::Scribe;
use crate::{
    error_chain::chain,
    speech::{self, Transcriber},
    status::ModelState,
};

/// What there is instead of a transcriber.
pub(super) enum Missing {
    /// None is configured: recordings are complete without a transcript.
    NotWanted,
    /// It cannot be used: recordings fail, and can be written down again when that is mended.
    Broken(String),
}

impl Scribe {
    pub(super) fn load(&self) -> Result<Box<dyn Transcriber>, Missing> {
        let Some(name) = self.transcription.model.clone() else { return Err(Missing::NotWanted) };
        self.status.update(|it| it.model = ModelState::Loading { name: name.clone() });
        let began = Instant::now();
        match speech::load(&self.transcription, &self.models_dir) {
            Ok(transcriber) => {
                let (name, accelerator) = (transcriber.name(), transcriber.accelerator());
                let ms = began.elapsed().as_millis() as u64;
                let loaded =
                    payloads::ModelLoaded { model: name.clone(), accelerator: accelerator.clone(), ms };
                self.tell(names::MODEL_LOADED, &loaded);
                let in_use = SpeechModel { name: name.clone(), languages: transcriber.languages() };
                self.model.send_replace(Some(in_use));
                self.status.update(|it| it.model = ModelState::Ready { name, accelerator });
                Ok(transcriber)
            }
            Err(error) => {
                let reason = chain(&error);
                tracing::error!(model = name, reason, "The model cannot be used; recordings wait for one.");
                let failed = payloads::ModelFailed { model: name, reason: reason.clone() };
                self.tell(names::MODEL_FAILED, &failed);
                self.status.update(|it| it.model = ModelState::Failed { reason: reason.clone() });
                Err(Missing::Broken(reason))
            }
        }
    }
}
