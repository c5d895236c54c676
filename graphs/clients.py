"""The roles behind their Serve handles."""

from collections.abc import Callable, Mapping
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.asr import AsrClient
from deployments.lipsync import LipsyncClient
from deployments.speaker import SpeakerClient
from deployments.speech import SpeechClient
from deployments.translation import TranslationClient
from graphs.common.roles import Roles


def roles_of_application(name: str) -> Roles:
    """Return the roles of a Serve application, for callers in another one.

    Serve deploys applications side by side: that one may come up later.
    """
    return _roles(lambda role: serve.get_deployment_handle(role, app_name=name, _check_exists=False))


def roles_of_handles(handles: Mapping[str, DeploymentHandle[Any]]) -> Roles:
    """Return the roles behind these handles, which go by the roles' names."""
    return _roles(handles.__getitem__)


def _roles(handle: Callable[[str], DeploymentHandle[Any]]) -> Roles:
    return Roles(
        asr=AsrClient(handle("asr")),
        translation=TranslationClient(handle("translation")),
        speech=SpeechClient(handle("speech")),
        speaker=SpeakerClient(handle("speaker")),
        lipsync=LipsyncClient(handle("lipsync")),
    )
