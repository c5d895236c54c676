"""Errors as proxyAI's clients know them: ``{"detail": ...}``, also where its operators and its monitoring ask."""

from graphs.http.server.errors import ErrorFormat

ERRORS = ErrorFormat(
    prefixes=(
        "/upload", "/transcribe", "/results/", "/status/", "/labels/", "/admin/", "/health", "/ready", "/metrics",
    ),
    body=lambda error: {"detail": error.detail},
)  # fmt: skip
