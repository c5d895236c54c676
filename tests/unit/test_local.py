"""The small parts of a local run."""

from pathlib import Path

import pytest
from chat_servers import KEY, running

from deployments.serve_config import arguments_of
from graphs.common.config import ApiConfig
from graphs.local.client import chat_line
from graphs.local.cluster import root_cause
from graphs.local.environment import DEFAULT_PORT, StartError, kept_api_key, read_environment
from graphs.local.system import with_chat
from models.chat import Message, build
from models.chat.connect import COMMAND

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
    "variables",
    [
        {"VOICEGRAPH_PORT": "0"},
        {"VOICEGRAPH_PORT": "http"},
        {"VOICEGRAPH_ADMIN_KEY": "short"},
        {"VOICEGRAPH_CHAT_URL": "localhost:11434", "VOICEGRAPH_CHAT_MODEL": "m"},
        {"VOICEGRAPH_CHAT_MODEL": "m" * 201, "VOICEGRAPH_CHAT_URL": "http://127.0.0.1:1/v1"},
        {"VOICEGRAPH_CHAT_URL": "http://127.0.0.1:1/v1"},
        {"VOICEGRAPH_CHAT_MODEL": "m"},
        {"VOICEGRAPH_CHAT_KEY": "sk-secret"},
    ],
)
def test_a_wrong_variable_is_named(variables: dict[str, str]) -> None:
    with pytest.raises(StartError, match=next(iter(variables))) as refused:
        read_environment(variables, Path("/data"))
    assert "secret" not in str(refused.value)


@pytest.mark.anyio
async def test_the_environments_chat_server_answers_in_every_application_with_an_assistant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VOICEGRAPH_CHAT_KEY", KEY)
    graphs = {"import_path": "graphs.app:graphs", "args": {}}
    api = {"import_path": "graphs.app:api", "args": {"assistant": {"language": "ru", "chat": {"engine": "offline"}}}}
    live = {"import_path": "graphs.app:live"}
    with running() as server:
        variables = {"VOICEGRAPH_CHAT_URL": server.url, "VOICEGRAPH_CHAT_MODEL": "fake", "VOICEGRAPH_CHAT_KEY": KEY}
        environment = read_environment(variables, Path("/data"))
        untouched, *connected = with_chat([graphs, api, live], environment.chat)
        assert untouched is graphs
        for application in connected:
            arguments = arguments_of(application)
            assert isinstance(arguments, ApiConfig)
            engine = build(arguments.assistant.chat)
            assert [piece async for piece in engine.reply([Message("user", "hello there")], language="en")] == [
                "hello ",
                "there ",
            ]
            await engine.aclose()
        assert arguments_of(connected[0]).assistant.language == "ru"  # type: ignore[union-attr]
    assert {asked["model"] for asked in server.asked} == {"fake"}
    assert KEY not in str(connected)
    assert with_chat([api], None) == [api]


def test_a_chat_engine_that_is_none_is_told_with_the_line_that_connects_one() -> None:
    told = {"title": "Offline responder", "better": {"command": COMMAND}}
    assert chat_line(told) == f"Offline responder; to connect a language model: {COMMAND}"
    assert chat_line({"title": "Chat server (fake)", "better": None}) == "Chat server (fake)"


def test_the_api_key_is_made_once_and_readable_by_its_user_only(tmp_path: Path) -> None:
    key = kept_api_key(tmp_path)
    assert key.startswith("vg_")
    assert kept_api_key(tmp_path) == key
    assert (tmp_path / "api-key").stat().st_mode & 0o777 == 0o600
