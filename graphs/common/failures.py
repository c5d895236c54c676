"""Classification of a job's failure: whether another attempt may help, and the error that its owner sees."""

import structlog

from deployments.errors import RoleOutOfMemory, RoleUnavailable
from models.errors import InputError
from storage.jobs import JobFailure
from storage.objects import ObjectNotFound

_log = structlog.get_logger()


def classify(error: BaseException) -> JobFailure:
    """Tell bad input, which is never retried, from a fault, which is.

    A fault's details go to the log with the job's correlation id; its owner sees a sentence without them.
    """
    if isinstance(error, InputError):
        return JobFailure(error.code, error.message, retryable=False, field=error.field)
    if isinstance(error, ObjectNotFound):
        return JobFailure(
            "recording_gone", "The recording is no longer in the object store.", retryable=False, field="file"
        )
    if isinstance(error, RoleOutOfMemory):
        _log.error("attempt failed for want of GPU memory", reason=str(error))
        return JobFailure("out_of_memory", "A model had too little GPU memory for this.", retryable=True, field=None)
    if isinstance(error, RoleUnavailable):
        _log.warning("attempt put off", reason=str(error))
        return JobFailure(
            "role_unavailable", "A model had too much to do or was restarting.", retryable=True, field=None
        )
    _log.error("attempt failed", exc_info=error)
    return JobFailure(
        "internal", "The work failed for a reason inside the service; its operators see it.", retryable=True, field=None
    )
