"""Opening and closing of the resources of an ingress replica."""

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import ray

from graphs.assistant.graph import AssistantGraph
from graphs.avatar.graph import AvatarGraph
from graphs.avatar.library import AvatarLibrary
from graphs.avatar.streams import FilmStreams
from graphs.clients import roles_of_application
from graphs.common.cache import Memory
from graphs.common.config import ADMIN_KEY_VARIABLE, MEBIBYTE, ApiConfig
from graphs.common.job_kind import JobKinds
from graphs.common.roles import Roles
from graphs.common.stores import Stores, open_stores
from graphs.common.voices import Speakers
from graphs.http.observability.film_metrics import RayFilmMetrics
from graphs.http.server.services import Services
from graphs.kinds import KINDS
from models.chat import build as build_chat
from storage.avatars import Avatars
from storage.media_links import MediaLinks
from storage.rate_limits import RateLimits
from storage.sessions import MAX_MESSAGES, Sessions
from storage.users import Users
from storage.voices import Voices

# About 300 sentences.
_MAX_SAMPLE_BYTES = 8 * MEBIBYTE


@asynccontextmanager
async def open_services(
    config: ApiConfig, roles: Roles | None = None, kinds: JobKinds = KINDS, *, recogniser: str = "asr"
) -> AsyncIterator[Services]:
    """Open the stores and the chat engine for the length of the block.

    Args:
        config: Settings of the application.
        roles: The roles; left out, those of the Serve application that the settings name.
        kinds: Kinds of job.
        recogniser: See ``graphs.clients.roles_of_application``.
    """
    async with open_stores(config.storage) as stores:
        # Roles within this process read what they are given; those in others fetch it from Ray's object store.
        share: Callable[[bytes], Any] = ray.put if roles is None else bytes
        roles = roles or roles_of_application(config.roles_application, recogniser)
        services = _services(config, stores, roles, kinds, share)
        try:
            yield services
        finally:
            await services.assistant.aclose()


def _services(
    config: ApiConfig, stores: Stores, roles: Roles, kinds: JobKinds, share: Callable[[bytes], Any]
) -> Services:
    settings = config.assistant
    kept = max(MAX_MESSAGES, settings.history_messages)
    sessions = Sessions(stores.database, ttl_seconds=settings.session_ttl_seconds, max_messages=kept)
    voices = Voices(stores.database)
    speakers = Speakers(roles.speech, voices, stores.objects)
    admin_key = os.environ.get(ADMIN_KEY_VARIABLE, "")
    return Services(
        config=config,
        database=stores.database,
        objects=stores.objects,
        jobs=stores.jobs,
        kinds=kinds,
        media_links=MediaLinks(stores.database),
        users=Users(stores.database),
        rate_limits=RateLimits(stores.database),
        roles=roles,
        voices=voices,
        voice_samples=Memory(_MAX_SAMPLE_BYTES),
        speakers=speakers,
        sessions=sessions,
        assistant=AssistantGraph(
            roles.asr, roles.speech, build_chat(settings.chat), sessions, settings, find_speaker=speakers.find
        ),
        avatars=AvatarLibrary(Avatars(stores.database), stores.objects, roles.lipsync, config.avatars, share),
        films=FilmStreams(AvatarGraph(roles.lipsync, config.video), RayFilmMetrics()),
        admin_key_hash=hashlib.sha256(admin_key.encode()).digest() if admin_key else None,
    )
