"""Builders of the Serve applications, named by ``import_path`` in serve_config.yaml.

Each imports what its own application needs: Serve builds every application in a process of its own, and a file is
checked, which takes the types of the builders' arguments, without any of it.
"""

from ray.serve import Application

from graphs.common.config import ApiConfig, GraphsConfig


def graphs(config: GraphsConfig) -> Application:
    """Build the roles and the job workers that compose them."""
    from deployments.asr import asr_deployment
    from deployments.diarization import diarization_deployment
    from deployments.lipsync import lipsync_deployment
    from deployments.speaker import speaker_deployment
    from deployments.speech import speech_deployment
    from deployments.spoof import spoof_deployment
    from deployments.translation import translation_deployment
    from graphs.worker import worker_deployment

    level = config.logs.level
    roles = {
        "asr": asr_deployment.bind(config.asr.engine, config.asr.concurrency, level, config.asr.notice),
        "diarization": diarization_deployment.bind(
            config.diarization.engine, config.diarization.concurrency, level, config.diarization.notice
        ),
        "spoof": spoof_deployment.bind(
            config.spoof.engine,
            config.spoof.max_batch_chunks,
            config.spoof.batch_wait_ms,
            config.spoof.concurrency,
            level,
            config.spoof.notice,
        ),
        "speaker": speaker_deployment.bind(
            config.speaker.engine, config.speaker.concurrency, level, config.speaker.notice
        ),
        "translation": translation_deployment.bind(
            config.translation.engine,
            config.translation.max_batch_tokens,
            config.translation.batch_wait_ms,
            config.translation.concurrency,
            level,
            config.translation.notice,
        ),
        "speech": speech_deployment.bind(
            config.speech.engine, config.speech.concurrency, config.speech.max_models, level, config.speech.notice
        ),
        "lipsync": lipsync_deployment.bind(
            config.lipsync.engine,
            config.lipsync.max_batch_frames,
            config.lipsync.batch_wait_ms,
            config.lipsync.concurrency,
            config.lipsync.max_faces,
            level,
            config.lipsync.notice,
        ),
    }
    if (live := config.asr_live) is not None:
        roles["asr_live"] = asr_deployment.options(name="asr_live").bind(
            live.engine, live.concurrency, level, live.notice
        )
    application: Application = worker_deployment(config).bind(config, roles)
    return application


def api(config: ApiConfig) -> Application:
    """Build the HTTP ingress."""
    from graphs.http.server.ingress import ingress_deployment

    application: Application = ingress_deployment(config).bind()
    return application


def live(config: ApiConfig) -> Application:
    """Build the ingress of live audio: WebSockets, which stay open, apart from requests, which don't."""
    from graphs.http.server.live import live_deployment

    application: Application = live_deployment(config).bind()
    return application
