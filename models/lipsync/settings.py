"""Settings of the lip-sync engines."""

from typing import Annotated, Literal

from pydantic import Field

from models.settings import Settings
from models.weights import DownloadSettings, Weights

WAV2LIP = Weights(
    kind="file",
    hub_ids=False,
    licence="non-commercial, for research",
    how="get wav2lip_gan.pth or wav2lip.pth from the Wav2Lip project (github.com/Rudrabha/Wav2Lip, non-commercial: "
    "trained on LRS2) and put it there",
)
S3FD = Weights(
    kind="file",
    hub_ids=False,
    how="get s3fd-619a316812.pth from https://www.adrianbulat.com/downloads/python-fan/s3fd-619a316812.pth and put it "
    "there",
)
FACE_MESH = Weights(
    files=("face_detection_short_range.tflite", "face_landmark.tflite"),
    hub_ids=False,
    licence="apache-2.0",
    how="fetch both files with: python -m models.weights pull set://face-mesh",
)


class HaarFacesSettings(Settings):
    """Finds faces from the front with OpenCV's Haar cascades; no weights."""

    detector: Literal["haar"] = "haar"


class MeshFacesSettings(DownloadSettings):
    """Finds faces, turned, dark or blurred ones too, and their mouths with MediaPipe's networks."""

    detector: Literal["mesh"] = "mesh"
    weights: Annotated[str, FACE_MESH] = Field(
        default="set://face-mesh",
        description="A folder with face_detection_short_range.tflite and face_landmark.tflite (docs/weights.md).",
    )


FacesSettings = Annotated[HaarFacesSettings | MeshFacesSettings, Field(discriminator="detector")]


class MouthWarpSettings(Settings):
    """Moves the jaw and the lips of any portrait, with OpenCV."""

    engine: Literal["mouth-warp"] = "mouth-warp"
    faces: FacesSettings = Field(default=HaarFacesSettings(), description="What finds the face.")
    opening: float = Field(default=1.0, gt=0.0, le=2.0, description="How wide the mouth opens; 1 is natural.")
    blinks_per_minute: float = Field(default=14.0, ge=0.0, le=60.0, description="How often the eyes blink.")


class Wav2LipSettings(DownloadSettings):
    """Wav2Lip, from a published checkpoint."""

    engine: Literal["wav2lip"] = "wav2lip"
    checkpoint: Annotated[str, WAV2LIP] = Field(
        description="File of the generator: a state dict (.pth) or TorchScript (.pt) (docs/weights.md)."
    )
    detector: Annotated[str, S3FD] = Field(
        description="File of the S3FD face detector, as face-alignment publishes it (docs/weights.md)."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: a GPU where there is one.")
    precision: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        default="auto", description="auto: float16 on a GPU, float32 on a CPU."
    )
    threads: int = Field(default=1, ge=1, le=64, description="CPU threads that one batch is computed in.")
    pads: tuple[int, int, int, int] = Field(
        default=(0, 50, 0, 0),
        description="Pixels added to the detected face: top, bottom, left, right; of a face 256 pixels high, and as "
        "many more as a face is larger.",
    )
    smoothing: int = Field(default=5, ge=1, le=25, description="Frames that a moving face's box is averaged over.")


LipsyncSettings = Annotated[MouthWarpSettings | Wav2LipSettings, Field(discriminator="engine")]
"""Settings of any engine of this role, told apart by ``engine``."""
