//! Which sound of a file is heard, and by which decoder. Owns that choice and the names of what is not decoded.

use std::sync::LazyLock;

use symphonia::core::{
    codecs::{
        CodecParameters,
        audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions, well_known},
        registry::CodecRegistry,
    },
    errors::Error as Symphonia,
    formats::{FormatReader, Track, TrackFlags},
};

use super::Error;

static CODECS: LazyLock<CodecRegistry> = LazyLock::new(|| {
    let mut codecs = CodecRegistry::new();
    symphonia::default::register_enabled_codecs(&mut codecs);
    #[cfg(feature = "opus")]
    codecs.register_audio_decoder::<symphonia_adapter_libopus::OpusDecoder>();
    codecs
});

/// The track that players would play first, of those that can be decoded.
pub(super) fn choose<'a>(
    container: &'a dyn FormatReader,
    name: &str,
) -> Result<(&'a Track, Box<dyn AudioDecoder>), Error> {
    let mut tracks: Vec<_> = container
        .tracks()
        .iter()
        .filter_map(|track| match &track.codec_params {
            Some(CodecParameters::Audio(parameters)) => Some((track, parameters)),
            _ => None,
        })
        .collect();
    tracks.sort_by_key(|(track, _)| !track.flags.contains(TrackFlags::DEFAULT));
    let mut error = Error::Silent { file: name.to_owned() };
    for (track, parameters) in tracks {
        let mut parameters = parameters.clone();
        if parameters.codec == well_known::CODEC_ID_OPUS {
            // Opus always decodes to this; containers may give the rate before it was encoded.
            parameters.sample_rate = Some(48_000);
        }
        match CODECS.make_audio_decoder(&parameters, &AudioDecoderOptions::default()) {
            Ok(decoder) => return Ok((track, decoder)),
            Err(why) => error = Error::Codec { file: name.to_owned(), codec: codec(&parameters, &why) },
        }
    }
    Err(error)
}

/// What the sound is, and why it is not decoded.
fn codec(parameters: &AudioCodecParameters, why: &Symphonia) -> String {
    use well_known as id;
    let names = [
        (id::CODEC_ID_OPUS, "Opus"),
        (id::CODEC_ID_AAC, "AAC of a kind"),
        (id::CODEC_ID_AC3, "AC-3"),
        (id::CODEC_ID_EAC3, "E-AC-3"),
        (id::CODEC_ID_AC4, "AC-4"),
        (id::CODEC_ID_DCA, "DTS"),
        (id::CODEC_ID_TRUEHD, "TrueHD"),
        (id::CODEC_ID_SPEEX, "Speex"),
        (id::CODEC_ID_WMA, "WMA"),
        (id::CODEC_ID_WAVPACK, "WavPack"),
    ];
    let name = names.iter().find(|it| it.0 == parameters.codec).map_or("of a form", |it| it.1);
    if parameters.codec == id::CODEC_ID_OPUS && !cfg!(feature = "opus") {
        return format!("{name}, which this build does not decode (it lacks the feature `opus`)");
    }
    let why = why.to_string();
    match why.rsplit(": ").next() {
        Some("unsupported audio codec") | None => format!("{name} that is not decoded"),
        Some(why) => format!("{name} that is not decoded ({why})"),
    }
}
