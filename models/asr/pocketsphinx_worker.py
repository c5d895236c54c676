"""Program of a decoder process: reads utterances from stdin and writes their words to stdout, until stdin closes.

PocketSphinx holds Python's lock for the whole of a decoding, so that decoders in threads of one process take turns and
stop everything else in it; hence a process for each.

Messages both ways are a length (4 bytes, little endian) and so many bytes. In: mono 16-bit little-endian samples at
16 kHz. Out: JSON, first ``{}`` once the model is loaded, then ``{"words": [[text, first_frame, last_frame], ...]}``
for each utterance, frames of 10 ms counted from its start. The process's only argument is JSON with the decoder's
options.

It runs as a file of its own and imports nothing of this package, so that it starts fast and stays small.
"""

import json
import signal
import struct
import sys
from typing import BinaryIO

from pocketsphinx import Decoder

_HEADER = struct.Struct("<I")


def _read(stream: BinaryIO) -> bytes | None:
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    (length,) = _HEADER.unpack(header)
    body = stream.read(length)
    return body if len(body) == length else None


def _write(stream: BinaryIO, message: dict[str, object]) -> None:
    body = json.dumps(message).encode()
    stream.write(_HEADER.pack(len(body)) + body)
    stream.flush()


def _decode(decoder: Decoder, pcm: bytes) -> list[list[object]]:
    # Noise estimates and cepstral means start anew and come from this utterance alone: what was decoded before, in
    # whichever process, changes nothing.
    decoder.reinit_feat()
    decoder.start_utt()
    try:
        decoder.process_raw(pcm, full_utt=True)
    finally:
        decoder.end_utt()
    if decoder.hyp() is None:
        return []
    return [[segment.word, segment.start_frame, segment.end_frame] for segment in decoder.seg()]


def main() -> None:
    """Serve utterances until stdin closes."""
    # Ctrl-C reaches the whole process group; this process ends when its parent lets go of stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    decoder = Decoder(**json.loads(sys.argv[1]))
    _write(sink, {})
    while (pcm := _read(source)) is not None:
        _write(sink, {"words": _decode(decoder, pcm)})


if __name__ == "__main__":
    main()
