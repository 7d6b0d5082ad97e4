"""Holds Panotti against the official client of OpenAI's API, as it comes from PyPI.

Arguments: address, key of an operator, key of a viewer, name of the model in use, a WAV file of one sentence,
that sentence, a WAV file of many sentences.
"""

import asyncio
import difflib
import io
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import srt
import webvtt

ADDRESS, KEY, VIEWER, MODEL, SHORT, SENTENCE, LONG = sys.argv[1:]
client = openai.OpenAI(api_key=KEY, base_url=f"{ADDRESS}/v1", max_retries=0)
create = client.audio.transcriptions.create


def ask(**options):
    with open(SHORT, "rb") as file:
        return create(file=file, **{"model": "whisper-1", **options})


def refused(kind, work, **fields):
    try:
        work()
    except openai.APIStatusError as error:
        assert type(error) is kind, f"{type(error)} instead of {kind}: {error}"
        for name, value in fields.items():
            assert getattr(error, name) == value, f"{name} of {error.body}"
        return error
    raise AssertionError(f"not refused with {kind}")


def models():
    assert [it.id for it in client.models.list()] == ["whisper-1", MODEL]
    model = client.models.retrieve(MODEL)
    assert (model.id, model.object, model.owned_by) == (MODEL, "model", "panotti")
    assert model.created > 1_500_000_000
    refused(openai.NotFoundError, lambda: client.models.retrieve("gpt-4o"), code="model_not_found")


def formats():
    plain = ask(model=MODEL)
    assert plain.text == SENTENCE, plain
    assert plain.usage.type == "duration" and 2 < plain.usage.seconds < 10, plain
    assert ask(response_format="text") == SENTENCE + "\n"

    verbose = ask(response_format="verbose_json", language="en", temperature=0.0)
    assert (verbose.text, verbose.language, verbose.task) == (SENTENCE, "english", "transcribe")
    assert verbose.duration == plain.usage.seconds and verbose.words is None
    assert "".join(it.text for it in verbose.segments).strip() == SENTENCE
    for place, it in enumerate(verbose.segments):
        assert it.id == place and 0 <= it.start < it.end <= verbose.duration, it
        # What OpenAI's own client says means failure.
        assert -1 < it.avg_logprob <= 0 and it.compression_ratio < 2.4 and it.no_speech_prob < 1, it
        assert it.tokens == [] and it.temperature == 0 and it.seek == int(it.start * 100 + 0.5), it

    words = ask(response_format="verbose_json", timestamp_granularities=["word"])
    assert words.segments is None and " ".join(it.word for it in words.words) == SENTENCE
    assert all(it.start <= it.end <= words.duration for it in words.words)
    both = ask(response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert both.words == words.words and both.segments == verbose.segments

    cues = list(srt.parse(ask(response_format="srt")))
    # A cue has two lines at most.
    assert " ".join(" ".join(it.content.split()) for it in cues) == SENTENCE
    assert abs(cues[0].start.total_seconds() - verbose.segments[0].start) < 0.002
    captions = webvtt.from_buffer(io.StringIO(ask(response_format="vtt")))
    assert [it.text for it in captions] == [it.content for it in cues]


def files():
    data = Path(SHORT).read_bytes()
    for file in [Path(SHORT), data, ("no.ending", data), ("a.mp3", io.BytesIO(data), "audio/mpeg")]:
        assert create(file=file, model="whisper-1").text == SENTENCE, file
    options = {"prompt": "documentation", "chunking_strategy": "auto", "extra_body": {"hotwords": "supplier"}}
    assert ask(**options).text


def streams():
    whole = create(file=Path(LONG), model="whisper-1").text
    assert len(whole.split()) > 50, whole
    with create(file=Path(LONG), model="whisper-1", stream=True) as stream:
        *deltas, done = list(stream)
    assert [it.type for it in deltas] == ["transcript.text.delta"] * len(deltas) and len(deltas) > 5
    assert done.type == "transcript.text.done" and done.text == "".join(it.delta for it in deltas)
    # A doubtful word may be heard otherwise the next time.
    likeness = difflib.SequenceMatcher(None, done.text.split(), whole.split()).ratio()
    assert likeness > 0.9, f"{likeness}: {done.text}"

    async def later():
        other = openai.AsyncOpenAI(api_key=KEY, base_url=f"{ADDRESS}/v1", max_retries=0)
        stream = await other.audio.transcriptions.create(file=Path(SHORT), model="whisper-1", stream=True)
        return [it async for it in stream][-1].text

    assert asyncio.run(later()) == SENTENCE


def refusals():
    bad = openai.BadRequestError
    invalid = {"type": "invalid_request_error"}
    refused(bad, lambda: ask(language="english"), param="language", code="invalid_language_format", **invalid)
    refused(bad, lambda: ask(language="de"), param="language", **invalid)
    refused(bad, lambda: ask(response_format="docx"), param="response_format", **invalid)
    refused(bad, lambda: ask(timestamp_granularities=["word"]), param="timestamp_granularities", **invalid)
    refused(bad, lambda: ask(temperature=2), param="temperature", **invalid)
    refused(bad, lambda: ask(include=["logprobs"]), param="include", **invalid)
    vad = {"type": "server_vad", "threshold": 0.5}
    refused(bad, lambda: ask(chunking_strategy=vad), param="chunking_strategy", **invalid)
    refused(bad, lambda: create(file=b"", model="whisper-1"), param="file", **invalid)
    for stream in [False, True]:
        work = lambda: create(file=b"Dear Sir or Madam, " * 100, model="whisper-1", stream=stream)
        refused(bad, work, param="file", **invalid)
    refused(openai.NotFoundError, lambda: ask(model="gpt-4o-transcribe"), code="model_not_found", param="model")
    refused(openai.NotFoundError, lambda: client.audio.translations.create(file=Path(SHORT), model="whisper-1"))
    stranger = client.with_options(api_key="stranger")
    refused(openai.AuthenticationError, stranger.models.list, code="invalid_api_key")
    # The whole file was on its way, and still the client learns why.
    large = bytes(20_000_000)
    work = lambda: stranger.audio.transcriptions.create(file=large, model="whisper-1")
    refused(openai.AuthenticationError, work, code="invalid_api_key")
    work = lambda: client.audio.translations.create(file=large, model="whisper-1")
    refused(openai.NotFoundError, work)
    viewer = client.with_options(api_key=VIEWER)
    assert len(list(viewer.models.list())) == 2
    work = lambda: viewer.audio.transcriptions.create(file=Path(SHORT), model="whisper-1")
    refused(openai.PermissionDeniedError, work)


def many():
    # More than the box takes at a time: the client asks again, as it does of its own.
    patient = client.with_options(max_retries=100)
    data = Path(SHORT).read_bytes()
    work = lambda _: patient.audio.transcriptions.create(file=data, model="whisper-1").text
    with ThreadPoolExecutor(30) as pool:
        assert list(pool.map(work, range(30))) == [SENTENCE] * 30


for part in [models, formats, files, streams, refusals, many]:
    part()
    print(part.__name__, "is as it should be")
