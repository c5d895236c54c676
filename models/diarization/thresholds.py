"""Thresholds that depend on the speaker encoder, because each has a scale of similarity of its own."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Clustering thresholds tuned for one encoder, on speakers that it was not trained on.

    Attributes:
        similarity: Windows of a smaller mean cosine similarity start as two groups.
        merge_similarity: Groups whose centroids are more alike than this are one speaker.
        far_merge_similarity: The same across a room, whose noise makes a voice less like itself.
        change_cost: Evidence that a change of speaker takes, similarity times seconds.
        pause_cost: The same where the change falls into a pause.
    """

    similarity: float
    merge_similarity: float
    far_merge_similarity: float
    change_cost: float
    pause_cost: float

    def merged_at(self, farness: float) -> float:
        """Return the similarity at which groups are one speaker, between near (0) and far (1) recordings."""
        return self.merge_similarity + farness * (self.far_merge_similarity - self.merge_similarity)


TUNED: dict[Literal["compact", "spectral"], Thresholds] = {
    "compact": Thresholds(
        similarity=0.48,
        merge_similarity=0.65,
        far_merge_similarity=0.6,
        change_cost=0.3,
        pause_cost=0.1,
    ),
    "spectral": Thresholds(
        similarity=0.45, merge_similarity=0.6, far_merge_similarity=0.6, change_cost=0.3, pause_cost=0.1
    ),
}
