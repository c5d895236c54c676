"""The roles behind their Serve handles."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.asr import AsrClient, AsrReplica
from deployments.diarization import DiarizationClient, DiarizationReplica
from deployments.lipsync import LipsyncClient, LipsyncReplica
from deployments.speaker import SpeakerClient, SpeakerReplica
from deployments.speech import SpeechClient, SpeechReplica
from deployments.spoof import SpoofClient, SpoofReplica
from deployments.translation import TranslationClient, TranslationReplica
from graphs.common.recognisers import SpecialisedAsr
from graphs.common.roles import Roles


def roles_of_application(name: str, recogniser: str = "asr") -> Roles:
    """Return the roles of a Serve application, for callers in another one.

    Serve deploys applications side by side: that one may come up later.

    Args:
        name: The application's name.
        recogniser: Deployment that recognises the languages that it knows; ``asr`` recognises the others.
    """

    def handle(role: str) -> DeploymentHandle[Any]:
        return serve.get_deployment_handle(role, app_name=name, _check_exists=False)

    roles = _roles(handle)
    if recogniser == "asr":
        return roles
    return replace(roles, asr=SpecialisedAsr(AsrClient(handle(recogniser)), roles.asr))


def roles_of_handles(handles: Mapping[str, DeploymentHandle[Any]]) -> Roles:
    """Return the roles behind these handles, which go by the roles' names."""
    return _roles(handles.__getitem__)


def _roles(handle: Callable[[str], DeploymentHandle[Any]]) -> Roles:
    return Roles(
        asr=AsrClient(handle("asr")),
        diarization=DiarizationClient(handle("diarization")),
        spoof=SpoofClient(handle("spoof")),
        speaker=SpeakerClient(handle("speaker")),
        translation=TranslationClient(handle("translation")),
        speech=SpeechClient(handle("speech")),
        lipsync=LipsyncClient(handle("lipsync")),
    )


if TYPE_CHECKING:

    def _replicas_are_roles(
        asr: AsrReplica,
        diarization: DiarizationReplica,
        spoof: SpoofReplica,
        speaker: SpeakerReplica,
        translation: TranslationReplica,
        speech: SpeechReplica,
        lipsync: LipsyncReplica,
    ) -> Roles:
        """Let the type checker compare the replicas' methods with the Protocols, as it does those of the clients."""
        return Roles(
            asr=asr,
            diarization=diarization,
            spoof=spoof,
            speaker=speaker,
            translation=translation,
            speech=speech,
            lipsync=lipsync,
        )
