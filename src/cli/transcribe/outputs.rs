//! Where transcripts go. Owns their names, of which no two are the same, and that a reader finds a whole file
//! or none.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::inputs::Input;
use crate::speech::{Header, Transcript, TranscriptFormat};

/// Where the transcript of each input goes.
#[derive(Debug)]
pub(super) struct Outputs {
    formats: Vec<TranscriptFormat>,
    to: To,
}

#[derive(Debug)]
enum To {
    Terminal,
    File(PathBuf),
    /// And a name for each input, without its ending.
    Folder(PathBuf, Vec<PathBuf>),
}

impl Outputs {
    /// Refuses, before hours of work, what would write several transcripts into one file or one over what it
    /// is made from.
    pub(super) fn new(
        output: &Path,
        formats: Vec<TranscriptFormat>,
        json: bool,
        inputs: &[Input],
    ) -> anyhow::Result<Self> {
        let to = if output == Path::new("-") {
            anyhow::ensure!(
                !json,
                "--json writes to the terminal itself: say with --output where the transcripts go"
            );
            To::Terminal
        } else if output.is_dir() || output.extension().is_none() {
            let names = names(inputs);
            let own: Vec<_> = inputs.iter().filter_map(|it| fs::canonicalize(&it.path).ok()).collect();
            for to in names.iter().flat_map(|name| formats.iter().map(|it| file(output, name, *it))) {
                anyhow::ensure!(
                    !fs::canonicalize(&to).is_ok_and(|to| own.contains(&to)),
                    "{} is audio itself: give another directory to --output",
                    to.display()
                );
            }
            To::Folder(output.to_owned(), names)
        } else {
            anyhow::ensure!(
                inputs.len() * formats.len() <= 1,
                "{} can hold only one transcript: give a directory to --output, or one file and one --format",
                output.display()
            );
            let same = |it: &Input| fs::canonicalize(&it.path).ok() == fs::canonicalize(output).ok();
            anyhow::ensure!(
                !output.exists() || !inputs.iter().any(same),
                "{} is the audio itself: give another name to --output",
                output.display()
            );
            To::File(output.to_owned())
        };
        Ok(Self { formats, to })
    }

    /// Writes every form of the transcript of the input `index`; the files that were written.
    pub(super) fn write(
        &self,
        index: usize,
        input: &Input,
        transcript: &Transcript,
    ) -> anyhow::Result<Vec<PathBuf>> {
        let title = input.place.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let header = Header { title, metadata: metadata(input, transcript), ..Header::default() };
        let mut written = Vec::new();
        for format in &self.formats {
            let text = transcript.render(*format, &header);
            let to = match &self.to {
                To::Terminal => {
                    let mut out = std::io::stdout().lock();
                    let sent = out.write_all(text.as_bytes()).and_then(|()| out.flush());
                    sent.context("cannot write to the terminal")?;
                    continue;
                }
                To::File(path) => path.clone(),
                To::Folder(folder, names) => file(folder, &names[index], *format),
            };
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder)
                    .with_context(|| format!("cannot make the directory {}", folder.display()))?;
            }
            write_atomically(&to, &text).with_context(|| format!("cannot write {}", to.display()))?;
            written.push(to);
        }
        Ok(written)
    }
}

fn file(folder: &Path, name: &Path, format: TranscriptFormat) -> PathBuf {
    let mut path = OsString::from(folder.join(name));
    path.push(".");
    path.push(format.name());
    path.into()
}

/// A name for each input: as short as can be, and none twice, also where letters differ in case alone. Which of two gets which does not
/// depend on their order.
fn names(inputs: &[Input]) -> Vec<PathBuf> {
    let key = |it: &Path| it.to_string_lossy().to_lowercase();
    let mut names: Vec<Option<PathBuf>> = vec![None; inputs.len()];
    let mut taken = HashSet::new();
    // `talk`, then `talk.mp3` beside `talk.wav`, then `monday-talk.mp3` beside `friday-talk.mp3`.
    for level in 0..3 {
        let candidate = |it: &Input| match level {
            0 => it.place.with_extension(""),
            1 => it.place.clone(),
            _ => {
                let above = it.path.parent().and_then(Path::file_name).unwrap_or_default();
                let mut name = above.to_os_string();
                name.push("-");
                name.push(it.place.file_name().unwrap_or_default());
                it.place.with_file_name(name)
            }
        };
        let mut wanted: HashMap<String, usize> = HashMap::new();
        let open: Vec<usize> = (0..inputs.len()).filter(|it| names[*it].is_none()).collect();
        for it in &open {
            *wanted.entry(key(&candidate(&inputs[*it]))).or_default() += 1;
        }
        for it in open {
            let name = candidate(&inputs[it]);
            if wanted[&key(&name)] == 1 && taken.insert(key(&name)) {
                names[it] = Some(name);
            }
        }
    }
    // The same file twice, or folders of the same name.
    let numbered = |it: &Input, number: usize| {
        let mut name = it.place.file_name().unwrap_or_default().to_os_string();
        name.push(format!(" ({number})"));
        it.place.with_file_name(name)
    };
    let mut unique = |it: &Input| {
        (2..).map(|number| numbered(it, number)).find(|it| taken.insert(key(it))).unwrap_or_default()
    };
    inputs.iter().zip(names).map(|(input, name)| name.unwrap_or_else(|| unique(input))).collect()
}

fn metadata(input: &Input, transcript: &Transcript) -> serde_json::Map<String, serde_json::Value> {
    let mut it = serde_json::Map::new();
    let name = input.place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    it.insert("audio".into(), name.into());
    it.insert("model".into(), transcript.model.clone().into());
    it.insert("language".into(), transcript.language.clone().into());
    it.insert("duration_ms".into(), transcript.duration_ms.into());
    it
}

/// Writes beside `to` and renames, so that a reader finds the old text or the whole new one.
fn write_atomically(to: &Path, text: &str) -> std::io::Result<()> {
    let mut name = to.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let beside = to.with_file_name(name);
    let write = || {
        let mut file = fs::File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, to)
    };
    write().inspect_err(|_| {
        // Whatever went wrong is told; a left-over beside it would only confuse.
        _ = fs::remove_file(&beside);
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;
    use crate::cli::transcribe::inputs::gather;

    fn named(paths: &[&str]) -> Vec<String> {
        let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        let inputs = gather(&paths).unwrap().inputs;
        names(&inputs).into_iter().map(|it| it.display().to_string()).collect()
    }

    #[test]
    fn names_are_short_and_never_the_same() {
        for (paths, want) in [
            (&["none/a.wav", "none/b.mp3"][..], &["a", "b"][..]),
            (&["none/talk.wav", "none/talk.mp3", "none/b.mp3"], &["talk.wav", "talk.mp3", "b"]),
            (&["monday/talk.wav", "friday/Talk.wav"], &["monday-talk.wav", "friday-Talk.wav"]),
            (&["x/talk.wav", "x/talk.wav"], &["talk.wav (2)", "talk.wav (3)"]),
            (&["x/talk", "x/talk.wav", "y/talk.wav.mp3"], &["talk", "x-talk.wav", "talk.wav"]),
        ] {
            let named = named(paths);
            assert_eq!(named.iter().collect::<HashSet<_>>().len(), paths.len(), "{named:?}");
            assert_eq!(named, want);
        }
    }

    proptest! {
        #[test]
        fn no_two_names_are_the_same(
            paths in proptest::collection::vec("(q|r)/(a|A|b|a \\(2\\))(\\.wav|\\.mp3|\\.wav\\.mp3|)", 1..12)
        ) {
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let lower: HashSet<_> = named(&paths).iter().map(|it| it.to_lowercase()).collect();
            prop_assert_eq!(lower.len(), paths.len());
        }
    }
}
