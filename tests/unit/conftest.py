"""Fixtures of the unit tests."""

from ingress import serve
from s3 import s3_endpoint
from weights_caches import weights_caches

__all__ = ["s3_endpoint", "serve", "weights_caches"]
