//! Which channels are heard as one, and whose they are. Owns that choice for captions and for the final
//! pass alike; leaves resampling and finding speech to those who hear.

/// A labelled channel, or all channels without a label, mixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Who speaks here.
    pub label: Option<String>,
    /// The channel, or `None` for all that have no lane of their own.
    channel: Option<usize>,
    /// Channels that have one.
    own: Vec<usize>,
}

impl Lane {
    /// A lane for each label that is not blank, and one for the rest, whose label is `rest`.
    pub fn of(labels: &[String], rest: Option<&str>) -> Vec<Self> {
        let labelled = || labels.iter().enumerate().filter(|(_, label)| !label.trim().is_empty());
        let own: Vec<usize> = labelled().map(|(channel, _)| channel).collect();
        let mut lanes: Vec<_> = labelled()
            .map(|(channel, label)| Self {
                label: Some(label.clone()),
                channel: Some(channel),
                own: Vec::new(),
            })
            .collect();
        lanes.push(Self { label: rest.map(str::to_owned), channel: None, own });
        lanes
    }

    /// Whether sound of so many channels has any for this lane.
    pub fn is_in(&self, channels: usize) -> bool {
        match self.channel {
            Some(channel) => channel < channels,
            None => (0..channels).any(|it| !self.own.contains(&it)),
        }
    }

    /// Appends this lane's sound in interleaved frames of `channels` to `out`: its channel, or the mean of
    /// those that have no lane of their own. A labelled channel that is not there is silent, so that the
    /// lane's time goes on; the rest of nothing is nothing.
    pub fn pick(&self, samples: &[f32], channels: usize, out: &mut Vec<f32>) {
        let frames = samples.chunks_exact(channels.max(1));
        match self.channel {
            Some(channel) => out.extend(frames.map(|frame| frame.get(channel).copied().unwrap_or(0.0))),
            None => {
                let rest: Vec<usize> = (0..channels).filter(|it| !self.own.contains(it)).collect();
                if !rest.is_empty() {
                    let share = 1.0 / rest.len() as f32;
                    out.extend(frames.map(|frame| rest.iter().map(|it| frame[*it]).sum::<f32>() * share));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_is_heard_once() {
        let picked = |labels: &[&str], frame: &[f32]| -> Vec<(Option<String>, Vec<f32>)> {
            let labels: Vec<String> = labels.iter().map(|it| (*it).to_owned()).collect();
            let lanes = Lane::of(&labels, Some("Room")).into_iter().filter(|it| it.is_in(frame.len()));
            lanes
                .map(|lane| {
                    let mut out = Vec::new();
                    lane.pick(frame, frame.len(), &mut out);
                    (lane.label, out)
                })
                .collect()
        };
        let heard = |label: &str, sample| (Some(label.to_owned()), vec![sample]);
        assert_eq!(picked(&[], &[0.2, 0.4]), [heard("Room", 0.3)]);
        assert_eq!(picked(&["A"], &[0.5, 0.2, 0.4]), [heard("A", 0.5), heard("Room", 0.3)]);
        assert_eq!(picked(&["", "B"], &[0.5, 0.2]), [heard("B", 0.2), heard("Room", 0.5)]);
        assert_eq!(picked(&["A", "B"], &[0.5, 0.2]), [heard("A", 0.5), heard("B", 0.2)]);
        // The file has fewer channels than there are labels.
        assert_eq!(picked(&["A", "B"], &[0.5]), [heard("A", 0.5)]);
        let mut out = Vec::new();
        Lane::of(&["A".into(), "B".into()], None)[1].pick(&[0.5, 0.6], 1, &mut out);
        assert_eq!(out, [0.0, 0.0], "time goes on");
    }
}
