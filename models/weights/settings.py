"""What the settings of every engine with pretrained weights have."""

from pydantic import Field

from models.settings import Settings


class DownloadSettings(Settings):
    """Whether an engine may fetch its weights itself."""

    allow_download: bool = Field(
        default=False,
        description="Fetch missing weights from the Hugging Face Hub when the engine starts, instead of refusing to "
        "start. The node's cache and the mirror in S3 are used either way.",
    )
