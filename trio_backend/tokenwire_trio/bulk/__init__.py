"""Many questions: asked side by side, answered as values, on one machine or on many.

    questions = (Question(id=n, messages=[Message.user(text)]) for n, text in enumerate(texts))
    async with open_provider(config.provider) as provider:
        async with ask_all(Retrying(provider), questions, concurrency=20) as answers:
            async for result in answers:
                match result:
                    case Answered():
                        print(result.id, result.completion.text)
                    case Failed():
                        print(result.id, result.error)

`ask_records` and `ask_columns` do the same to a part of a data set, as plain functions that an
engine such as Dask or Ray calls on its workers; `ask_bag` maps the first over a Dask bag.
"""

from tokenwire_trio.bulk.asking import Answers, ask_all
from tokenwire_trio.bulk.columns import ask_columns
from tokenwire_trio.bulk.dask import ask_bag
from tokenwire_trio.bulk.partition import WorkerSettings, ask_records
from tokenwire_trio.bulk.question import Question, QuestionId
from tokenwire_trio.bulk.result import Answered, Failed, Result

__all__ = [
    "Answered",
    "Answers",
    "Failed",
    "Question",
    "QuestionId",
    "Result",
    "WorkerSettings",
    "ask_all",
    "ask_bag",
    "ask_columns",
    "ask_records",
]
