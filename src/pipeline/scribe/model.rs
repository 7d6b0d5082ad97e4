//! The transcriber of the process. Owns loading it, using another model while the service runs, and telling how
//! it is.

use std::time::Instant;

use panotti_sdk::{SpeechModel, names, payloads};

use super::Scribe;
use crate::{
    error_chain::chain,
    speech::{
        self, DeskError, Switch, Transcriber,
        model::{By, Choice, chosen, memory},
    },
    status::ModelState,
};

/// What there is instead of a transcriber.
pub(super) enum Missing {
    /// None is chosen: recordings are complete without a transcript.
    NotWanted,
    /// It cannot be used: recordings fail, and can be written down again when that is mended.
    Broken(String),
}

impl Scribe {
    pub(super) fn load(&self) -> Result<Box<dyn Transcriber>, Missing> {
        let Some(choice) = chosen(&self.transcription, &self.models_dir) else {
            self.status.update(|it| it.model = ModelState::None);
            return Err(Missing::NotWanted);
        };
        self.status.update(|it| it.model = ModelState::Loading { name: choice.name.clone() });
        let reason = match self.try_load(&choice) {
            Ok(transcriber) => return Ok(transcriber),
            Err(reason) => reason,
        };
        // Better the configured one than none, in a box that nobody looks after.
        let configured = Choice::configured(&self.transcription, &self.models_dir);
        if let Some(configured) = configured.filter(|it| choice.by == By::Use && it.path != choice.path)
            && let Ok(transcriber) = self.try_load(&configured)
        {
            return Ok(transcriber);
        }
        self.status.update(|it| it.model = ModelState::Failed { reason: reason.clone() });
        Err(Missing::Broken(reason))
    }

    /// Loads another model; `None` when it cannot be used, and then the one in use stays. Who asked is told.
    /// Captions wait meanwhile, as behind any other work.
    pub(super) fn switch(&self, switch: Switch) -> Option<Box<dyn Transcriber>> {
        let before = self.status.facts().model;
        self.status.update(|it| it.model = ModelState::Loading { name: switch.to.name.clone() });
        let loaded = self.room_beside(&switch.to).and_then(|()| self.try_load(&switch.to));
        let (answer, loaded) = match loaded {
            Ok(transcriber) => (Ok(in_use(transcriber.as_ref())), Some(transcriber)),
            Err(reason) => {
                self.status.update(|it| it.model = before);
                (Err(DeskError::Model(reason)), None)
            }
        };
        // Who asked may have gone.
        switch.reply.send(answer).ok();
        loaded
    }

    /// Whether a second model fits into memory: the system would end the whole service for it. On a GPU the
    /// memory is another one.
    fn room_beside(&self, choice: &Choice) -> Result<(), String> {
        let on_gpu = self.transcription.gpu && cfg!(any(feature = "cuda", feature = "vulkan"));
        let size = choice.path.metadata().map_or(0, |it| it.len());
        let (needed, available) = (memory::needed(size), memory::available());
        match available {
            Some(available) if available < needed && !on_gpu && self.model.borrow().is_some() => {
                let (needed_mb, available_mb) = (needed / 1_000_000, available / 1_000_000);
                let path = choice.path.clone();
                Err(chain(&speech::Error::Memory { path, needed_mb, available_mb }))
            }
            _ => Ok(()),
        }
    }

    /// Loads `choice` and tells of it; why it cannot be used.
    fn try_load(&self, choice: &Choice) -> Result<Box<dyn Transcriber>, String> {
        let began = Instant::now();
        match speech::load_model(choice, &self.transcription, &self.models_dir) {
            Ok(transcriber) => {
                let (name, accelerator) = (transcriber.name(), transcriber.accelerator());
                let ms = began.elapsed().as_millis() as u64;
                let loaded =
                    payloads::ModelLoaded { model: name.clone(), accelerator: accelerator.clone(), ms };
                self.model.send_replace(Some(in_use(transcriber.as_ref())));
                self.status.update(|it| it.model = ModelState::Ready { name, accelerator });
                // Told last: who hears of it finds it so.
                self.tell(names::MODEL_LOADED, &loaded);
                Ok(transcriber)
            }
            Err(error) => {
                let reason = chain(&error);
                tracing::error!(model = choice.name, reason, "The model cannot be used.");
                // Nobody is alarmed for a switch that came to nothing.
                let in_use = self.model.borrow().as_ref().map(|it| it.name.clone());
                let failed =
                    payloads::ModelFailed { model: choice.name.clone(), reason: reason.clone(), in_use };
                self.tell(names::MODEL_FAILED, &failed);
                Err(reason)
            }
        }
    }
}

fn in_use(transcriber: &dyn Transcriber) -> SpeechModel {
    SpeechModel { name: transcriber.name(), languages: transcriber.languages() }
}
