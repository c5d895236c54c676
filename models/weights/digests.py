"""File digests as servers report them, as text such as ``sha256:0a1b...``."""

import hashlib
from pathlib import Path

_BLOCK = 1 << 20


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def digest_of(file: Path, kind: str) -> str:
    """Return a file's digest as text: ``sha256:...``, ``md5:...`` or ``git:...``, the SHA-1 of Git's blobs."""
    if kind == "sha256":
        return f"sha256:{sha256_of(file)}"
    if kind == "md5":
        state = hashlib.md5(usedforsecurity=False)
    elif kind == "git":
        state = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    else:
        raise ValueError(f"unknown digest {kind!r}")
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK):
            state.update(block)
    return f"{kind}:{state.hexdigest()}"
