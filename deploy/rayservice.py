"""Writes serve_config.yaml into the KubeRay manifest: ``python -m deploy.rayservice``.

The Serve configuration exists once. In deploy/kuberay/rayservice.yaml it is the last key, as the text that KubeRay
wants; everything above it is written by hand and stays as it is.
"""

import textwrap
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
MANIFEST = REPOSITORY / "deploy" / "kuberay" / "rayservice.yaml"
SERVE_CONFIG = REPOSITORY / "serve_config.yaml"
_KEY = "  serveConfigV2: |\n"


def embedded(manifest: str, serve_config: str) -> str:
    """Return the manifest with this Serve configuration in it.

    Raises:
        ValueError: The manifest has no ``serveConfigV2`` to write to.
    """
    head, key, _old = manifest.partition(_KEY)
    if not key:
        raise ValueError(f"there is no line {_KEY!r} in the manifest")
    return head + key + textwrap.indent(serve_config, "    ")


def main() -> None:
    """Write the manifest."""
    manifest = MANIFEST.read_text(encoding="utf-8")
    MANIFEST.write_text(embedded(manifest, SERVE_CONFIG.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
