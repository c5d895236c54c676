"""Range of speaker counts that a caller allows."""

from dataclasses import dataclass

from models.errors import InputError

MOST_SPEAKERS = 20


@dataclass(frozen=True, slots=True)
class SpeakerCount:
    """An allowed range of the number of speakers; exact where both ends agree."""

    least: int
    most: int

    def nearest(self, count: int) -> int:
        """Return the allowed number next to ``count``."""
        return min(max(count, self.least), self.most)


def speaker_count(num: int | None, least: int | None, most: int | None) -> SpeakerCount:
    """Check what a caller says about the number of speakers.

    Raises:
        InputError: A number is out of range (``speakers_out_of_range``) or they contradict each other
            (``speakers_contradict``); the field names the argument.
    """
    for field, value in (("num_speakers", num), ("min_speakers", least), ("max_speakers", most)):
        if value is not None and not 1 <= value <= MOST_SPEAKERS:
            raise InputError(
                "speakers_out_of_range", f"{field} must be from 1 to {MOST_SPEAKERS}, not {value}.", field=field
            )
    if num is not None:
        if least is not None or most is not None:
            message = "num_speakers says it all: leave out min_speakers and max_speakers."
            raise InputError("speakers_contradict", message, field="num_speakers")
        return SpeakerCount(num, num)
    count = SpeakerCount(least or 1, most or MOST_SPEAKERS)
    if count.least > count.most:
        message = f"min_speakers ({count.least}) is greater than max_speakers ({count.most})."
        raise InputError("speakers_contradict", message, field="min_speakers")
    return count
