"""Asks a part of a data set, as a plain function: for engines that spread work over machines.

An engine pickles a function and its arguments and calls it on its workers. So the settings are
text and numbers, never an open connection and never a key: the text names the environment variable
that holds the key, and each worker looks that up for itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, cast, final

import attrs
import msgspec
import trio

from tokenwire import _validation as check
from tokenwire.config import Config, ConfigError, read_toml
from tokenwire.retry_policy import RetryPolicy
from tokenwire.secret import names_credential
from tokenwire_trio.bulk.asking import DEFAULT_CONCURRENCY, ask_all
from tokenwire_trio.bulk.question import Question
from tokenwire_trio.bulk.records import Record, failure_record, read_question, result_record
from tokenwire_trio.limited import Limited, Rate
from tokenwire_trio.provider import open_provider
from tokenwire_trio.retrying import Retrying

#: Stands for each key while a configuration is checked where no key is needed.
_ANY_KEY: Final = "checked-on-the-worker"

_DEFAULT_POLICY: Final = RetryPolicy()


def _check_config(_: Any, __: Any, text: Any) -> None:
    document = read_toml(text, "config")
    endpoint = _table(_table(document, "provider"), "endpoint")
    for where in _secrets(endpoint):
        raise ConfigError(
            f"provider.endpoint.{where} holds a key, which would travel with the work: keep it in"
            " an environment variable of the workers and name that, as credential_env does"
        )
    Config.from_mapping(document, dict.fromkeys(_variables(endpoint), _ANY_KEY))


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a table, empty where it is missing or something else, of which `Config` complains."""
    table = document.get(name)
    return cast("Mapping[str, Any]", table) if isinstance(table, Mapping) else {}


def _secrets(endpoint: Mapping[str, Any]) -> Iterator[str]:
    if "credential" in endpoint:
        yield "credential"
    if "password" in _table(endpoint, "proxy"):
        yield "proxy.password"
    for table in ("headers", "query"):
        yield from (f"{table}.{name}" for name in _table(endpoint, table) if names_credential(name))


def _variables(endpoint: Mapping[str, Any]) -> Iterator[str]:
    for name in (endpoint.get("credential_env"), _table(endpoint, "proxy").get("password_env")):
        if isinstance(name, str):
            yield name


@final
@attrs.frozen(kw_only=True)
class WorkerSettings:
    """Whom a worker asks, and how; it may be pickled, and there is no key in it.

    Attributes:
        config: A TOML document as `tokenwire.config.Config.from_toml` reads it. It names the
            variable with the key (``credential_env``); one that holds a key itself is refused.
        concurrency: How many answers may be under way at a time, in each call of the function: a
            worker with four threads has up to four times as many.
        rate: How many requests may begin in a span of time, again in each call; None for any
            number.
        retries: What is tried again.

    Raises:
        ConfigError: If the document cannot be used or holds a key.
        ValueError: If the concurrency makes no sense.
    """

    config: str = attrs.field(repr=False, validator=_check_config)
    concurrency: int = attrs.field(default=DEFAULT_CONCURRENCY, validator=check.integer(at_least=1))
    rate: Rate | None = None
    retries: RetryPolicy = _DEFAULT_POLICY


def ask_records(records: Iterable[Mapping[str, Any]], settings: WorkerSettings) -> list[Record]:
    """Ask each question of a part of a data set, and wait for all of them.

    Runs an event loop of its own, in any thread that runs none of trio's. The form of questions and
    results is that of ``tokenwire batch``, see `tokenwire_trio.bulk.records`; files that questions
    name are looked up in the worker's working directory.

    Args:
        records: The questions.
        settings: Whom to ask, and how.

    Returns:
        A result for each question, in the same order, with the ``id`` of the question if it has
        one. What is wrong with one question is an ``error`` in its result.

    Raises:
        ConfigError: If a variable that the configuration names is not set on this worker.
        ValueError: If the endpoint is set up in a way that cannot work.
    """
    records = list(records)
    config = Config.from_toml(settings.config, os.environ)
    results: list[Record] = [{} for _ in records]
    questions = _questions(records, results)
    trio.run(partial(_ask, questions, results, config, settings))
    return [
        {**({"id": record["id"]} if "id" in record else {}), **result}
        for record, result in zip(records, results, strict=True)
    ]


def _questions(records: Sequence[Mapping[str, Any]], results: list[Record]) -> Iterator[Question]:
    """Give each record that is a question, numbered; note of the others why they are none."""
    for number, record in enumerate(records):
        try:
            question = read_question(msgspec.json.encode(record), Path(), default_id=number)
        except (ValueError, TypeError, OSError) as error:
            results[number] = failure_record(ValueError(str(error)))
        else:
            yield attrs.evolve(question, id=number)


async def _ask(
    questions: Iterator[Question],
    results: list[Record],
    config: Config,
    settings: WorkerSettings,
) -> None:
    async with open_provider(config.provider) as opened:
        limited = opened if settings.rate is None else Limited(opened, rate=settings.rate)
        provider = Retrying(limited, settings.retries)
        async with ask_all(provider, questions, concurrency=settings.concurrency) as answers:
            async for result in answers:
                assert isinstance(result.id, int)
                results[result.id] = result_record(result)
