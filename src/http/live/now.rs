//! What `/live` tells of the box itself: its state and its levels. Owns their form; the figures are in
//! `status`.

use serde::Serialize;
use utoipa::ToSchema;

use super::super::{Shared, error::Problem, recordings::blocking};
use crate::{
    live::Partial,
    recordings::Recording,
    status::{CaptionState, CaptureState, Facts, FinalPass, Level, ModelState, Status},
};

/// The box, this very moment.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct Now {
    #[serde(flatten)]
    state: LiveState,
    #[serde(flatten)]
    levels: Levels,
    /// Captions that still change, one for each microphone at most.
    partials: Vec<Partial>,
}

/// How the box is, and what it does.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LiveState {
    #[serde(flatten)]
    #[schema(value_type = FactsDocument)]
    pub(super) facts: Facts,
    /// The recording that runs.
    pub(super) recording: Option<Recording>,
}

/// What changes rarely.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FactsDocument {
    /// How the source is; see `GET /system`.
    #[schema(value_type = Object)]
    capture: CaptureState,
    /// How the model is; see `GET /system`.
    #[schema(value_type = Object)]
    model: ModelState,
    /// Which system interface writes recordings, and why.
    recorder: String,
    /// The speech detector.
    vad: String,
    /// The final pass that runs: `recording_id`, `done_ms` and `total_ms` of audio.
    #[schema(value_type = Option<Object>)]
    final_pass: Option<FinalPass>,
    /// How the captions come: `state` is `live`, `without_partials` (the box is too slow for them) or `behind`
    /// (final captions are late too; `waiting_ms` of audio wait).
    #[schema(value_type = Object)]
    captions: CaptionState,
}

/// How loud it is.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct Levels {
    /// Level of each channel.
    pub(super) levels: Vec<ChannelLevel>,
}

/// Level of one channel over the last period.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(in super::super) struct ChannelLevel {
    /// The channel's label, where it has one.
    label: Option<String>,
    /// Root mean square, dBFS.
    #[schema(example = -32.5)]
    rms_dbfs: f32,
    /// Peak, dBFS.
    #[schema(example = -20.1)]
    peak_dbfs: f32,
}

impl Now {
    /// With `levels` or without.
    pub(super) async fn of(shared: &Shared, levels: bool) -> Result<Self, Problem> {
        let app = &shared.app;
        let recordings = app.recordings.clone();
        let recording = blocking(move || recordings.active()).await?;
        let facts = app.status.facts();
        let levels = match levels {
            true => self::levels(&app.status, &facts.capture, &app.config.audio.labels),
            false => Vec::new(),
        };
        let (partials, _) = app.live.follow();
        let partials = partials.iter().map(|it| Partial::clone(it)).collect();
        Ok(Self { state: LiveState { facts, recording }, levels: Levels { levels }, partials })
    }
}

/// Levels of a source that runs; none of another.
pub(in super::super) fn levels(
    status: &Status,
    capture: &CaptureState,
    labels: &[String],
) -> Vec<ChannelLevel> {
    let CaptureState::Running { format, .. } = capture else { return Vec::new() };
    let levels = status.levels(usize::from(format.channels)).into_iter().enumerate();
    // Tenths: nobody hears less, and a room at rest stays at the same figure.
    let rounded = |dbfs: f32| (dbfs * 10.0).round() / 10.0;
    levels
        .map(|(channel, Level { rms_dbfs, peak_dbfs })| ChannelLevel {
            label: labels.get(channel).filter(|it| !it.is_empty()).cloned(),
            rms_dbfs: rounded(rms_dbfs),
            peak_dbfs: rounded(peak_dbfs),
        })
        .collect()
}
