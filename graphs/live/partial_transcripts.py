"""Sending of the words that are recognised while an utterance goes on."""

from typing import Generic

from graphs.live.connection import Connection
from graphs.live.local_agreement import LocalAgreement, PartialTranscript
from graphs.live.protocol import TranscriptPartial
from graphs.live.serializers import StartT


class PartialTranscriptSender(Generic[StartT]):
    """Sends each new partial transcript of the utterance under way, with its stable beginning.

    Args:
        connection: The client.
    """

    def __init__(self, connection: Connection[StartT]) -> None:
        self._connection = connection
        self._turn = 0
        self._agreement = LocalAgreement()
        self._sent = PartialTranscript("", "")

    def send(self, turn: int, hypothesis: str) -> None:
        """Take what the utterance of a turn is heard as now.

        Raises:
            ConnectionClosed: The client can't be sent anything.
        """
        if turn != self._turn:
            self._turn, self._agreement, self._sent = turn, LocalAgreement(), PartialTranscript("", "")
        partial = self._agreement.push(hypothesis)
        if partial.text and partial != self._sent:
            self._sent = partial
            self._connection.send(TranscriptPartial(turn=turn, text=partial.text, stable=partial.stable))
