"""Fixtures of the unit tests."""

from hub_server import fake_hub
from ingress import serve
from s3 import s3_endpoint
from weights_caches import weights_caches

__all__ = ["fake_hub", "s3_endpoint", "serve", "weights_caches"]
