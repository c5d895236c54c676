"""The small parts of a local run."""

from pathlib import Path

import pytest

from graphs.local.cluster import root_cause
from graphs.local.environment import DEFAULT_PORT, StartError, kept_api_key, read_environment

pytestmark = pytest.mark.unit

SERVE_MESSAGE = """\
The deployment failed to start 3 times in a row. Error:
ray::ServeReplica:graphs:asr.initialize_and_get_metadata() (pid=1)
  File "replica.py", line 1867, in initialize
    await self._user_callable_wrapper.initialize_callable()
ValueError: an earlier one

During handling of the above exception, another exception occurred:

  File "whisper_weights.py", line 65, in _from_hub
    raise MissingWeights(
models.errors.MissingWeights: the model is not on this machine;
fetch it with: python -c "..."
"""


def test_a_failed_start_says_what_the_last_exception_says() -> None:
    assert root_cause(SERVE_MESSAGE) == 'the model is not on this machine;\nfetch it with: python -c "..."'
    assert root_cause("no exception in here") == "no exception in here"


def test_unset_variables_have_defaults_and_an_admin_key_is_made() -> None:
    first, second = (read_environment({}, Path("/data")) for _ in range(2))
    assert (first.port, first.data, first.admin_key_given) == (DEFAULT_PORT, Path("/data"), False)
    assert len(first.admin_key) >= 32
    assert first.admin_key != second.admin_key


def test_set_variables_are_taken() -> None:
    variables = {"VOICEGRAPH_PORT": "9000", "VOICEGRAPH_DATA": "/x", "VOICEGRAPH_ADMIN_KEY": "0123456789abcdef"}
    environment = read_environment(variables, Path("/data"))
    assert (environment.port, environment.data) == (9000, Path("/x"))
    assert (environment.admin_key, environment.admin_key_given) == ("0123456789abcdef", True)


@pytest.mark.parametrize(
    "variables", [{"VOICEGRAPH_PORT": "0"}, {"VOICEGRAPH_PORT": "http"}, {"VOICEGRAPH_ADMIN_KEY": "short"}]
)
def test_a_wrong_variable_is_named(variables: dict[str, str]) -> None:
    with pytest.raises(StartError, match=next(iter(variables))):
        read_environment(variables, Path("/data"))


def test_the_api_key_is_made_once_and_readable_by_its_user_only(tmp_path: Path) -> None:
    key = kept_api_key(tmp_path)
    assert key.startswith("vg_")
    assert kept_api_key(tmp_path) == key
    assert (tmp_path / "api-key").stat().st_mode & 0o777 == 0o600
