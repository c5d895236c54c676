"""Rich Transcription Time Marked files, as far as speaker turns go (NIST RT-09 evaluation plan, appendix A)."""

from collections.abc import Iterable

from models.diarization.types import SpeakerTurn


def write_rttm(turns: Iterable[SpeakerTurn], uri: str) -> str:
    """Write turns as the text of an RTTM file.

    Args:
        turns: What to write, one line each.
        uri: Names the recording; without white space.

    Raises:
        ValueError: The uri or a speaker's name is empty or has white space in it.
    """
    lines = []
    for turn in turns:
        for name in (uri, turn.speaker):
            if len(name.split()) != 1 or name.strip() != name:
                raise ValueError(f"RTTM can't name anything {name!r}: it must be one word")
        duration = turn.end - turn.start
        lines.append(f"SPEAKER {uri} 1 {turn.start:.3f} {duration:.3f} <NA> <NA> {turn.speaker} <NA> <NA>\n")
    return "".join(lines)


def read_rttm(text: str) -> dict[str, tuple[SpeakerTurn, ...]]:
    """Read the turns of each recording in an RTTM file, in order of start; other kinds of line are skipped.

    Raises:
        ValueError: A SPEAKER line is not one; says which.
    """
    recordings: dict[str, list[SpeakerTurn]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            continue
        try:
            uri, start, duration, speaker = fields[1], float(fields[3]), float(fields[4]), fields[7]
        except (IndexError, ValueError) as error:
            raise ValueError(f"line {number} of the RTTM file is no SPEAKER line: {line!r}") from error
        recordings.setdefault(uri, []).append(SpeakerTurn(start, start + duration, speaker))
    return {uri: tuple(sorted(turns, key=lambda turn: turn.start)) for uri, turns in recordings.items()}
