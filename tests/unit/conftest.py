"""Fixtures of the unit tests."""

from ingress import serve
from s3 import s3_endpoint

__all__ = ["s3_endpoint", "serve"]
