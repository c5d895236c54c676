"""Builders of the two Serve applications, named by ``import_path`` in serve_config.yaml."""

from ray.serve import Application

from deployments.asr import asr_deployment
from deployments.diarization import diarization_deployment
from deployments.spoof import spoof_deployment
from graphs.config import ApiConfig, GraphsConfig
from graphs.http.ingress import ingress_deployment
from graphs.worker import worker_deployment


def graphs(config: GraphsConfig) -> Application:
    """Build the roles and the job workers that compose them."""
    asr = asr_deployment.bind(config.asr.engine, config.asr.concurrency, config.logs.level)
    diarization = diarization_deployment.bind(
        config.diarization.engine, config.diarization.concurrency, config.logs.level
    )
    spoof = spoof_deployment.bind(
        config.spoof.engine,
        config.spoof.max_batch_chunks,
        config.spoof.batch_wait_ms,
        config.spoof.concurrency,
        config.logs.level,
    )
    application: Application = worker_deployment.bind(config, asr, diarization, spoof)
    return application


def api(config: ApiConfig) -> Application:
    """Build the HTTP ingress."""
    application: Application = ingress_deployment(config).bind()
    return application
