//! The walk through a model file in whisper.cpp's ggml form: header, filters, vocabulary, and every
//! tensor to the last byte. The layout is that of `whisper_model_load` and `whisper_vad_init_with_params`
//! in whisper.cpp 1.8.3; all numbers are little-endian.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufReader, Read, Seek as _, SeekFrom},
    ops::RangeInclusive,
    path::Path,
};

use super::Error;

/// `ggml` read as a little-endian number.
const MAGIC: u32 = 0x6767_6d6c;
/// Frequencies of Whisper's filters: half of its 400-sample window, and one.
const N_FFT: u32 = 201;
/// A version of the quantisation is put on top of the type in the header (`GGML_QNT_VERSION_FACTOR`).
const VERSION_FACTOR: u32 = 1000;
/// Types of all weights that whisper.cpp can load (`ggml_ftype`): F32, F16, Q4_0 to Q5_1, K-quants.
const FILE_TYPES: [u32; 12] = [0, 1, 2, 3, 7, 8, 9, 10, 11, 12, 13, 14];

/// Checks a Whisper model from the first byte to the last.
pub(super) fn check_whisper(path: &Path) -> Result<(), Error> {
    check(path, "Whisper", |file| {
        file.magic()?;
        let start = file.at;
        if file.u32()? == 10 {
            let mut name = [0; 10];
            file.bytes(&mut name)?;
            if name.starts_with(b"silero") {
                return Err(Fault::Odd("it is a Silero model (set it as vad.silero_model)".into()));
            }
            file.back_to(start)?;
        } else {
            file.back_to(start)?;
        }
        // `whisper_is_multilingual` and the places of the special tokens follow from the vocabulary's
        // size: English 51,864, others 51,865, large-v3 51,866.
        let n_vocab = file.number("n_vocab", 51_864..=51_866)?;
        let _n_audio_ctx = file.number("n_audio_ctx", 1..=1500)?;
        let audio_state = file.number("n_audio_state", 16..=4096)?;
        let audio_head = file.number("n_audio_head", 1..=64)?;
        let audio_layers = file.number("n_audio_layer", 1..=64)?;
        let _n_text_ctx = file.number("n_text_ctx", 8..=4096)?;
        let text_state = file.number("n_text_state", 16..=4096)?;
        let text_head = file.number("n_text_head", 1..=64)?;
        let text_layers = file.number("n_text_layer", 1..=64)?;
        let n_mels = file.number("n_mels", 80..=128)?;
        let file_type = file.u32()? % VERSION_FACTOR;
        if audio_state != text_state
            || !audio_state.is_multiple_of(audio_head)
            || !text_state.is_multiple_of(text_head)
        {
            return Err(Fault::Odd("the sizes in its header contradict each other".into()));
        }
        if !FILE_TYPES.contains(&file_type) {
            return Err(Fault::Odd(format!("its weights have the unknown type {file_type}")));
        }
        file.number("number of mel filters", n_mels..=n_mels)?;
        file.number("length of a mel filter", N_FFT..=N_FFT)?;
        file.skip(u64::from(n_mels) * u64::from(N_FFT) * 4)?;
        let words = file.number("number of words", 1..=n_vocab)?;
        for _ in 0..words {
            let length = file.number("length of a word", 0..=512)?;
            file.skip(u64::from(length))?;
        }
        // 7 of the encoder and 4 of the decoder beside the layers.
        file.tensors(u64::from(11 + 15 * audio_layers + 24 * text_layers))
    })
}

/// Checks a Silero model from the first byte to the last.
pub fn check_silero(path: &Path) -> Result<(), Error> {
    check(path, "Silero", |file| {
        file.magic()?;
        let length = file.number("length of the model's name", 1..=64)?;
        let mut name = vec![0; length as usize];
        file.bytes(&mut name)?;
        if !name.starts_with(b"silero-16k") {
            return Err(Fault::Odd("it is another kind of model".into()));
        }
        for part in ["major", "minor", "patch"] {
            file.number(part, 0..=100)?;
        }
        file.number("window", 512..=512)?;
        file.number("context", 1..=512)?;
        let layers = file.number("encoder layers", 4..=4)?;
        for _ in 0..layers * 3 {
            file.number("encoder size", 1..=4096)?;
        }
        for what in ["lstm input", "lstm hidden", "final input", "final output"] {
            file.number(what, 1..=4096)?;
        }
        let count = file.tensors_to_the_end()?;
        if count == 0 { Err(Fault::Short) } else { Ok(()) }
    })
}

/// What is wrong with a file.
enum Fault {
    Io(io::Error),
    Short,
    Odd(String),
}

impl From<io::Error> for Fault {
    fn from(it: io::Error) -> Self {
        if it.kind() == io::ErrorKind::UnexpectedEof { Self::Short } else { Self::Io(it) }
    }
}

fn check(
    path: &Path,
    wanted: &'static str,
    walk: impl FnOnce(&mut Walk) -> Result<(), Fault>,
) -> Result<(), Error> {
    let fault = match Walk::open(path).and_then(|mut it| walk(&mut it)) {
        Ok(()) => return Ok(()),
        Err(it) => it,
    };
    let path = path.to_path_buf();
    let found = match fault {
        Fault::Io(source) => return Err(Error::Read { path, source }),
        Fault::Short => "it is cut short".into(),
        Fault::Odd(it) => it,
    };
    Err(Error::Malformed { path, wanted, found })
}

/// A file that is read once, from its start to its end.
struct Walk {
    file: BufReader<File>,
    at: u64,
    length: u64,
}

impl Walk {
    fn open(path: &Path) -> Result<Self, Fault> {
        let file = File::open(path).map_err(Fault::Io)?;
        let metadata = file.metadata().map_err(Fault::Io)?;
        if !metadata.is_file() {
            return Err(Fault::Odd("it is not a file".into()));
        }
        Ok(Self { file: BufReader::new(file), at: 0, length: metadata.len() })
    }

    fn bytes(&mut self, out: &mut [u8]) -> Result<(), Fault> {
        self.file.read_exact(out)?;
        self.at += out.len() as u64;
        Ok(())
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        let mut it = [0; 4];
        self.bytes(&mut it)?;
        Ok(u32::from_le_bytes(it))
    }

    fn number(&mut self, what: &str, range: RangeInclusive<u32>) -> Result<u32, Fault> {
        let it = self.u32()?;
        if range.contains(&it) {
            return Ok(it);
        }
        Err(Fault::Odd(format!("{what} is {it}, not {} to {}", range.start(), range.end())))
    }

    fn magic(&mut self) -> Result<(), Fault> {
        if self.length == 0 {
            return Err(Fault::Odd("it is empty".into()));
        }
        if self.u32()? == MAGIC {
            return Ok(());
        }
        Err(Fault::Odd("it does not begin with ggml's magic number".into()))
    }

    fn skip(&mut self, n: u64) -> Result<(), Fault> {
        let to = self.at.checked_add(n).filter(|it| *it <= self.length).ok_or(Fault::Short)?;
        let n = i64::try_from(n).map_err(|_| Fault::Short)?;
        self.file.seek_relative(n)?;
        self.at = to;
        Ok(())
    }

    fn back_to(&mut self, at: u64) -> Result<(), Fault> {
        self.file.seek(SeekFrom::Start(at))?;
        self.at = at;
        Ok(())
    }

    fn tensors(&mut self, expected: u64) -> Result<(), Fault> {
        let count = self.tensors_to_the_end()?;
        if count < expected {
            return Err(Fault::Short);
        }
        if count > expected {
            return Err(Fault::Odd(format!("it has {count} tensors where {expected} belong")));
        }
        Ok(())
    }

    /// Walks over tensors until the file ends exactly after one; their number.
    fn tensors_to_the_end(&mut self) -> Result<u64, Fault> {
        let mut names = HashSet::new();
        while self.at < self.length {
            // whisper.cpp keeps four dimensions on its stack, and multiplies them in 32 bits.
            let n_dims = self.number("number of dimensions", 0..=4)?;
            let name_length = self.number("length of a tensor's name", 1..=128)?;
            let kind = self.u32()?;
            let mut elements = 1_u64;
            let mut row = 1_u64;
            for i in 0..n_dims {
                let n = u64::from(self.number("dimension of a tensor", 1..=1 << 24)?);
                elements = elements.saturating_mul(n);
                row = if i == 0 { n } else { row };
            }
            if elements > i32::MAX as u64 {
                return Err(Fault::Odd("a tensor is too large".into()));
            }
            let mut name = vec![0; name_length as usize];
            self.bytes(&mut name)?;
            let (block, size) = block(kind).ok_or_else(|| {
                Fault::Odd(format!("tensor {} has the unknown type {kind}", String::from_utf8_lossy(&name)))
            })?;
            if !row.is_multiple_of(block) {
                return Err(Fault::Odd("a tensor's rows do not fit its type".into()));
            }
            self.skip(elements / block * size)?;
            if !names.insert(name) {
                return Err(Fault::Odd("a tensor is there twice".into()));
            }
        }
        Ok(names.len() as u64)
    }
}

/// Elements and bytes of one block of a `ggml_type`, from the block structures of `ggml-common.h`.
fn block(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 => (1, 4),      // F32
        1 => (1, 2),      // F16
        2 => (32, 18),    // Q4_0
        3 => (32, 20),    // Q4_1
        6 => (32, 22),    // Q5_0
        7 => (32, 24),    // Q5_1
        8 => (32, 34),    // Q8_0
        10 => (256, 84),  // Q2_K
        11 => (256, 110), // Q3_K
        12 => (256, 144), // Q4_K
        13 => (256, 176), // Q5_K
        14 => (256, 210), // Q6_K
        _ => return None,
    })
}
