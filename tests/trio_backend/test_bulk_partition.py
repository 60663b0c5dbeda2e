"""`ask_records` and `ask_columns`: what an engine calls on its workers."""

from __future__ import annotations

import pickle
import threading
from array import array
from collections.abc import Mapping
from typing import Any

import pytest

from tests.gguf import ANSWER
from tokenwire import ConfigError, RetryPolicy
from tokenwire_trio import Rate
from tokenwire_trio.bulk import WorkerSettings, ask_columns, ask_records

_KEY = "sk-worker-0123456789"


def config(base_url: str = "http://localhost:1/v1", *endpoint: str) -> str:
    """Write a configuration, with further lines for the endpoint."""
    return "\n".join(
        (
            '[provider]\nkind = "openai-chat"\ndefaults.model = "m"',
            f'[provider.endpoint]\nbase_url = "{base_url}"',
            *endpoint,
        )
    )


def settings(base_url: str, *endpoint: str, **more: Any) -> WorkerSettings:
    """Describe a server as a worker asks it."""
    return WorkerSettings(config=config(base_url, *endpoint), **more)


def test_every_record_gets_a_result_in_its_place(llama_url: str) -> None:
    """With its id if it has one, and whatever became of it."""
    records: list[Mapping[str, Any]] = [
        {"id": "a", "prompt": "Hi"},
        {"prompt": "Hi"},
        {"id": "b", "promt": "Hi"},
        {"id": 7, "messages": [{"role": "user", "content": "Hi"}]},
    ]
    first, second, third, fourth = ask_records(iter(records), settings(llama_url))
    assert (first["id"], first["text"]) == ("a", ANSWER)
    assert ("id" in second, second["text"]) == (False, ANSWER)
    assert (third["id"], third["error"]) == ("b", "local")
    assert "promt" in third["message"]
    assert (fourth["id"], fourth["text"]) == (7, ANSWER)


def test_a_part_may_be_empty(llama_url: str) -> None:
    """Engines have such parts."""
    assert ask_records([], settings(llama_url)) == []


def test_a_failure_is_a_result() -> None:
    """A task that raised would be tried again by the engine, or end the whole computation."""
    nowhere = settings("http://localhost:1/v1", retries=RetryPolicy(attempts=1))
    [result] = ask_records([{"prompt": "Hi"}], nowhere)
    assert (result["error"], result["phase"], result["sent"]) == ("network", "tcp", "nothing")


def test_what_json_cannot_write_is_a_result() -> None:
    """It is the record's fault alone."""
    [result] = ask_records([{"prompt": object()}], settings("http://localhost:1/v1"))
    assert result["error"] == "local"


def test_it_runs_in_any_thread(llama_url: str) -> None:
    """Engines run tasks in threads of their workers."""
    results: list[dict[str, Any]] = []
    limited = settings(llama_url, concurrency=2, rate=Rate(100, per_s=1))

    def task() -> None:
        results.extend(ask_records([{"prompt": "Hi"}] * 3, limited))

    thread = threading.Thread(target=task)
    thread.start()
    thread.join()
    assert [result["text"] for result in results] == [ANSWER] * 3


def test_the_key_is_looked_up_where_the_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are made without it, and do not work without it."""
    variable = 'credential_env = "WORKER_KEY"'
    needs_key = settings("http://localhost:1/v1", variable, retries=RetryPolicy(attempts=1))
    with pytest.raises(ConfigError, match="not set"):
        ask_records([{"prompt": "Hi"}], needs_key)
    monkeypatch.setenv("WORKER_KEY", _KEY)
    [result] = ask_records([{"prompt": "Hi"}], needs_key)
    assert result["error"] == "network"
    assert _KEY.encode() not in pickle.dumps(needs_key)


def test_settings_travel() -> None:
    """Engines pickle them."""
    made = settings("http://localhost:1/v1", concurrency=3, rate=Rate(1, per_s=2))
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301  # our own bytes
    assert "localhost" not in repr(made)


@pytest.mark.parametrize(
    "line",
    [
        f'credential = "{_KEY}"',
        f'headers = {{ "x-api-key" = "{_KEY}" }}',
        f'query = {{ key = "{_KEY}" }}',
        f'proxy = {{ url = "http://localhost:3128", username = "me", password = "{_KEY}" }}',
    ],
)
def test_a_key_in_the_settings_is_refused(line: str) -> None:
    """It would travel with the work, and into whatever the engine writes."""
    with pytest.raises(ConfigError, match="holds a key") as caught:
        settings("http://localhost:1/v1", line)
    assert _KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a", "no valid TOML"),
        ("a = " + "[" * 100_000, "nests too deep"),
        ("provider = 1", "provider must be a table"),
        (config("localhost"), "base_url must begin with"),
        (config("http://localhost", "credential_env = 1"), "credential_env must be"),
        (config("http://localhost", "proxy = { url = 'h', password_env = 'A' }"), "proxy.url must"),
    ],
)
def test_a_configuration_is_checked_before_it_travels(text: str, complaint: str) -> None:
    """Whoever submits the work learns of a mistake, not a log of some worker."""
    with pytest.raises(ConfigError, match=complaint):
        WorkerSettings(config=text)


def test_a_configuration_is_text() -> None:
    """A loaded one holds the key."""
    with pytest.raises(TypeError, match=r"config must be text, .* not dict"):
        WorkerSettings(config={"provider": {}})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_columns_keep_what_they_had_and_get_an_answer(llama_url: str) -> None:
    """Of the same length, always the same columns, whatever failed."""
    columns = {
        "prompt": ["Hi", "Hi", "Hi"],
        "system": [None, "Be brief.", None],
        "settings": [{"extra": {"stream_options": {"include_usage": True}}}, {"temprature": 1}, {}],
        "label": array("q", [1, 2, 3]),
    }
    answered = ask_columns(columns, settings(llama_url))
    assert answered["label"] == [1, 2, 3]
    assert answered["text"] == [ANSWER, None, ANSWER]
    assert answered["finish"] == ["stop", None, "stop"]
    assert answered["error"] == [None, "local", None]
    assert "temperature" in answered["message"][1]
    assert answered["output_tokens"][0] > 1
    assert answered["output_tokens"][1] is None
    assert {len(column) for column in answered.values()} == {3}


def test_columns_of_several_lengths_are_refused() -> None:
    """There would be no telling what belongs together."""
    with pytest.raises(ValueError, match="prompt has 1, label has 0"):
        ask_columns({"prompt": ["Hi"], "label": []}, settings("http://localhost:1/v1"))


def test_columns_without_a_question_are_refused() -> None:
    """As a misspelt name makes them."""
    with pytest.raises(ValueError, match="only promt, id"):
        ask_columns({"promt": ["Hi"], "id": ["a"]}, settings("http://localhost:1/v1"))


def test_a_part_without_rows_has_all_columns() -> None:
    """Engines learn the columns from such parts."""
    answered = ask_columns({"prompt": []}, settings("http://localhost:1/v1"))
    assert list(answered) == [
        *("prompt", "text", "finish", "error", "message", "input_tokens", "output_tokens")
    ]
