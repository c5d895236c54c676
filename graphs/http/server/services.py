"""Resources of the routes, made once per ingress replica."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from graphs.assistant.graph import AssistantGraph
from graphs.avatar.library import AvatarLibrary
from graphs.avatar.streams import FilmStreams
from graphs.common.cache import Memory
from graphs.common.config import ApiConfig
from graphs.common.job_kind import JobKinds
from graphs.common.roles import Roles
from graphs.common.voices import Speakers
from storage.database import Database
from storage.jobs import JobStore
from storage.media_links import MediaLinks
from storage.objects import ObjectStore
from storage.rate_limits import RateLimits
from storage.sessions import Sessions
from storage.users import Users
from storage.voices import Voices


@dataclass(frozen=True)
class Services:
    """Open stores and settings of one ingress replica.

    Attributes:
        kinds: Kinds of job.
        media_links: Addresses for players.
        roles: Every model, behind its role.
        voices: Voices that owners have registered.
        voice_samples: Short sentences in the synthesiser's voices, as files.
        speakers: Finds who is meant by the name of a voice.
        sessions: Conversations with the assistant.
        assistant: Answers in them.
        avatars: Faces that can be seen speaking.
        films: FilmStreams of them that are being made.
        admin_key_hash: SHA-256 of the admin key, or None where no admin key is set and the admin routes are closed.
        event_streams: Open event streams by owner.
    """

    config: ApiConfig
    database: Database
    objects: ObjectStore
    jobs: JobStore
    kinds: JobKinds
    media_links: MediaLinks
    users: Users
    rate_limits: RateLimits
    roles: Roles
    voices: Voices
    voice_samples: Memory[bytes]
    speakers: Speakers
    sessions: Sessions
    assistant: AssistantGraph
    avatars: AvatarLibrary
    films: FilmStreams
    admin_key_hash: bytes | None
    event_streams: Counter[int] = field(default_factory=Counter)


def services_of(request: Request) -> Services:
    """Return the replica's services."""
    services: Services = request.app.state.services
    return services


ServicesDependency = Annotated[Services, Depends(services_of)]
