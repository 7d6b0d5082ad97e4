//! Which files of a folder are meant to be heard. Owns names and first bytes of audio; whether one can be
//! decoded shows when it is opened.

use std::{fs::File, io::Read as _, path::Path};

/// Endings of files that people expect to be heard; also of forms that are not decoded, so that these are
/// told of and not passed over.
const ENDINGS: [&str; 36] = [
    "3gp", "aac", "ac3", "aif", "aifc", "aiff", "amr", "avi", "caf", "eac3", "flac", "m4a", "m4b", "m4v",
    "mka", "mkv", "mov", "mp1", "mp2", "mp3", "mp4", "mpeg", "mpg", "mpga", "oga", "ogg", "ogv", "opus",
    "rf64", "spx", "ts", "wav", "wave", "weba", "webm", "wma",
];

/// Pictures in the container of MP4 (ISO/IEC 23008-12, AV1 Image File Format).
const PICTURES: [&[u8]; 6] = [b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif"];

/// Whether the file at `path` is audio or video, by its ending or its first bytes.
pub fn is_audio(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if ENDINGS.contains(&&*ending) {
        return true;
    }
    let mut start = Vec::new();
    File::open(path).and_then(|it| it.take(16).read_to_end(&mut start)).is_ok() && begins_as_audio(&start)
}

/// By the marks at the beginning of containers; MPEG audio has too little of one.
pub(super) fn begins_as_audio(start: &[u8]) -> bool {
    let at = |from: usize, to: usize| start.get(from..to).unwrap_or_default();
    match at(0, 4) {
        b"RIFF" | b"RF64" | b"BW64" => at(8, 12) == b"WAVE",
        b"FORM" => matches!(at(8, 12), b"AIFF" | b"AIFC"),
        b"fLaC" | b"OggS" | b"caff" | b"\x1a\x45\xdf\xa3" => true,
        _ => at(0, 3) == b"ID3" || at(4, 8) == b"ftyp" && !PICTURES.contains(&at(8, 12)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_or_by_content() {
        assert!(is_audio(Path::new("nowhere/Talk.MP3")) && !is_audio(Path::new("nowhere/talk.txt")));
        for (start, audio) in [
            (&b"RIFF\0\0\0\0WAVEfmt "[..], true),
            (b"RIFF\0\0\0\0AVI LIST", false),
            (b"RIFF\0\0\0\0WEBPVP8 ", false),
            (b"fLaC\0\0\0\x22", true),
            (b"\0\0\0\x20ftypM4A \0\0\0\0", true),
            (b"\0\0\0\x20ftypheic\0\0\0\0", false),
            (b"\x89PNG\r\n\x1a\n", false),
            (b"ID3\x04", true),
            (b"", false),
        ] {
            assert_eq!(begins_as_audio(start), audio, "{}", start.escape_ascii());
        }
    }
}
