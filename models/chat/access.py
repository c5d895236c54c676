"""Secrets from the environment and TLS settings, shared by the engines that call servers."""

import os
import ssl
from pathlib import Path


def secret(variable: str) -> str:
    """Return a secret from the environment.

    Raises:
        ValueError: The variable is not set; the message names it.
    """
    value = os.environ.get(variable, "").strip()
    if not value:
        raise ValueError(f"{variable} is not set: it holds the chat server's key.")
    return value


def trust(ca_bundle: Path | None) -> ssl.SSLContext:
    """Return a context that verifies servers by the system's certificates and those of a file.

    Raises:
        ValueError: The file can't be read or holds no certificate.
    """
    context = ssl.create_default_context()
    if ca_bundle is not None:
        try:
            context.load_verify_locations(cafile=ca_bundle)
        except OSError as error:
            raise ValueError(f"ca_bundle: {ca_bundle} holds no readable certificates: {error}") from error
    return context
