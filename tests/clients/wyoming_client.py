"""Speaks with a Wyoming server as Home Assistant does, by the official package alone. Prints JSON.

wyoming_client.py PORT describe
wyoming_client.py PORT transcribe LANGUAGE FILE[@RATE,WIDTH,CHANNELS]…   all at once, a connection each
wyoming_client.py PORT leave FILE midway|waiting                         says nothing any more and goes
wyoming_client.py PORT garbage TEXT                                      what comes back
"""

import asyncio
import dataclasses
import json
import sys
import wave

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunkConverter, AudioStart, AudioStop, wav_to_chunks
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong

PATIENCE_S = 100


def connect(port):
    return AsyncTcpClient("127.0.0.1", port, connect_timeout=PATIENCE_S, read_timeout=PATIENCE_S)


def chunks(file):
    path, _, form = file.partition("@")
    converter = AudioChunkConverter(*map(int, form.split(","))) if form else AudioChunkConverter()
    with wave.open(path, "rb") as wav:
        for chunk in wav_to_chunks(wav, 1024):
            yield converter.convert(chunk)


async def say(client, language, file, part=1.0):
    """Sends the audio, or a part of it."""
    await client.write_event(Transcribe(language=language).event())
    audio = list(chunks(file))
    first = audio[0]
    await client.write_event(AudioStart(first.rate, first.width, first.channels).event())
    for chunk in audio[: int(len(audio) * part)]:
        await client.write_event(chunk.event())


async def answer(client):
    """What an `error`, or a `transcript`, says; nothing when the connection ends."""
    while event := await client.read_event():
        for kind in (Transcript, Error):
            if kind.is_type(event.type):
                return {"type": event.type, **dataclasses.asdict(kind.from_event(event))}
    return None


async def transcribe(port, language, file):
    async with connect(port) as client:
        await say(client, language, file)
        await client.write_event(AudioStop().event())
        return await answer(client)


async def describe(port):
    async with connect(port) as client:
        await client.write_event(Ping(text="hello").event())
        pong = Pong.from_event(await client.read_event())
        await client.write_event(Describe().event())
        event = await client.read_event()
        assert Info.is_type(event.type), event
        return {"pong": pong.text, **dataclasses.asdict(Info.from_event(event))}


async def leave(port, file, when):
    async with connect(port) as client:
        await say(client, "en", file, 0.5 if when == "midway" else 1.0)
        if when == "waiting":
            await client.write_event(AudioStop().event())
        else:
            # Answered in order: everything before it was taken.
            await client.write_event(Ping().event())
            assert Pong.is_type((await client.read_event()).type)


async def garbage(port, text):
    async with connect(port) as client:
        client._writer.write(text.encode())
        said = await answer(client)
        return {**said, "closed": await client.read_event() is None}


async def main(port, what, *arguments):
    if what == "transcribe":
        language, *files = arguments
        return await asyncio.gather(*(transcribe(port, language, file) for file in files))
    return await {"describe": describe, "leave": leave, "garbage": garbage}[what](port, *arguments)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))))
