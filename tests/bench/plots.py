"""Pictures of the results: one for each question, clients always in the same colour and order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from tests.bench.clients import CLIENTS
from tests.bench.figures import Spread
from tests.bench.parsers import PARSERS
from tests.bench.results import Results
from tests.bench.table import label

_COLOURS: Final = {
    "floor": "#9aa0a6",
    "floor-asyncio": "#70757a",
    "floor-trio": "#3c4043",
    "tokenwire": "#d1495b",
    "httpx-sse": "#edae49",
    "openai": "#30638e",
    "openai-aiohttp": "#5c8fb8",
    "openai-trio": "#003d5b",
    "litellm": "#00798c",
}
_OTHER: Final = "#5c8fb8"
_CPU: Final = "cpu_us_per_token"
_DOTS_PER_INCH: Final = 100


def draw_all(results: Results, folder: Path) -> Iterator[Path]:
    """Draw what there are results for.

    Args:
        results: The results.
        folder: Where the pictures go.

    Yields:
        Each picture's path.
    """
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("Agg")  # no screen
    pyplot: Any = import_module("matplotlib.pyplot")
    image: Any = import_module("PIL.Image")
    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    for name, draw in _PICTURES.items():
        if results.cases(name):
            path = folder / f"{name}.png"
            figure = draw(pyplot, results)
            figure.savefig(path, dpi=_DOTS_PER_INCH, bbox_inches="tight")
            pyplot.close(figure)
            with image.open(path) as picture:
                picture.quantize(64).save(path, optimize=True)  # a third of the size
            yield path


def _parse(pyplot: Any, results: Results) -> Any:
    kinds = [case for case in results.cases("parse") if case.endswith(", 16 KiB")]
    figure, axes = pyplot.subplots(
        1, len(kinds), figsize=(11, 1.9), sharex=True, sharey=True, squeeze=False
    )
    values: list[float] = []
    for axis, case in zip(axes[0], kinds, strict=True):
        values += _bars(axis, results, ("parse", case), list(PARSERS), _CPU)
        axis.set_title(case.removesuffix(", 16 KiB"), fontsize=9)
    _limit(axes[0][0], values)
    _caption(figure, "Bytes to texts without I/O, 16 KiB at a time: CPU µs per token (log scale)")
    return figure


def _stream(pyplot: Any, results: Results) -> Any:
    figure, axes = pyplot.subplots(2, 3, figsize=(11, 5), sharex="col", sharey=True)
    values: dict[str, list[float]] = {mode: [] for mode in ("firehose", "write", "paced")}
    titles = {
        "firehose": "many tokens a segment",
        "write": "a segment per token",
        "paced": "a wake-up per token (every 2 ms)",
    }
    for row, scheme in enumerate(("http", "https")):
        for column, (mode, title) in enumerate(titles.items()):
            axis = axes[row][column]
            case = f"{scheme}, {mode}"
            values[mode] += _bars(axis, results, ("stream", case), list(CLIENTS), _CPU)
            axis.set_title(f"{'HTTP' if scheme == 'http' else 'TLS'}, {title}", fontsize=9)
    for axis, known in zip(axes[0], values.values(), strict=True):
        _limit(axis, known)
    _caption(figure, "One stream: CPU µs per token in the client's process (log scale)")
    return figure


def _crowd(pyplot: Any, results: Results) -> Any:
    cases = results.cases("crowd")
    clients = _in_order(results.clients("crowd"))
    figure, axes = pyplot.subplots(
        len(cases),
        3,
        figsize=(11, 1.3 * len(cases)),
        sharex="col",
        sharey=True,
        squeeze=False,
    )
    columns = {
        "CPU µs per token": _CPU,
        "ms from send to caller: bar to p99, mark at p50": "p99_ms",
        "KiB per stream": "kib_per_stream",
    }
    for column, (title, metric) in enumerate(columns.items()):
        values: list[float] = []
        for row, case in enumerate(cases):
            axis = axes[row][column]
            values += _bars(axis, results, ("crowd", case), clients, metric)
            axis.set_title(f"{case}: {title}" if column == 0 else title, fontsize=8)
            if metric == "p99_ms":
                values += _marks(axis, results, case, clients)
        _limit(axes[0][column], values)
    _caption(figure, "Many streams at a time in one process (log scales)")
    return figure


def _marks(axis: Any, results: Results, case: str, clients: Sequence[str]) -> list[float]:
    values: list[float] = []
    for place, client in enumerate(clients):
        middle = results.spread("crowd", case, client, "p50_ms")
        if middle is not None:
            axis.plot([middle.median], [place], marker="|", color="white", markersize=9)
            values.append(middle.median)
    return values


def _scale(pyplot: Any, results: Results) -> Any:
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3))
    cases = results.cases("scale")
    for axis, metric, title in (
        (axes[0], _CPU, "CPU µs per token"),
        (axes[1], "p99_ms", "p99 from send to caller, ms"),
    ):
        for client in _in_order(results.clients("scale")):
            spreads = [results.spread("scale", case, client, metric) for case in cases]
            known = [(place, spread) for place, spread in enumerate(spreads) if spread is not None]
            _line(axis, known, client)
        axis.set_xticks(range(len(cases)), [case.replace(" x ", "\nx ") for case in cases])
        axis.set_yscale("log")
        _label_ticks(axis.yaxis)
        axis.yaxis.get_major_locator().set_params(subs=(1, 3))
        axis.grid(axis="y", alpha=0.3)
        axis.set_title(title, fontsize=9)
    axes[0].legend(frameon=False, loc="lower left")
    _caption(figure, "How cost grows with the number of paced streams in one process")
    return figure


def _line(axis: Any, points: Sequence[tuple[int, Spread]], client: str) -> None:
    middle = [spread.median for _, spread in points]
    places = [place for place, _ in points]
    colour = _COLOURS.get(client, _OTHER)
    axis.plot(places, middle, marker="o", color=colour, label=label("scale", client))
    low = [spread.low for _, spread in points]
    axis.fill_between(places, low, [spread.high for _, spread in points], alpha=0.15, color=colour)


def _first_token(pyplot: Any, results: Results) -> Any:
    figure, axes = pyplot.subplots(1, 4, figsize=(11, 2.3), sharex=True, sharey=True)
    values: list[float] = []
    clients = _in_order(results.clients("first-token"))
    panels = [(scheme, state) for scheme in ("http", "https") for state in ("warm", "cold")]
    for axis, (scheme, state) in zip(axes, panels, strict=True):
        values += _bars(axis, results, ("first-token", scheme), clients, f"{state}_ms")
        connection = "open connection" if state == "warm" else "new connection"
        axis.set_title(f"{'HTTP' if scheme == 'http' else 'TLS'}, {connection}", fontsize=9)
    _limit(axes[0], values)
    _caption(figure, "Milliseconds to the first token (log scale)")
    return figure


def _imports(pyplot: Any, results: Results) -> Any:
    names = results.clients("imports")
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 2), sharey=True)
    for axis, metric, title in ((axes[0], "cpu_ms", "CPU ms"), (axes[1], "mib", "MiB of memory")):
        _limit(axis, _bars(axis, results, ("imports", "import"), names, metric))
        axis.set_title(title, fontsize=9)
    _caption(figure, "Imports in a fresh interpreter (log scales)")
    return figure


def _bars(
    axis: Any,
    results: Results,
    place_in_results: tuple[str, str],
    clients: Sequence[str],
    metric: str,
) -> list[float]:
    """Draw a bar for each client, from the top, with its median behind it; return the medians."""
    benchmark, case = place_in_results
    values: list[float] = []
    for place, client in enumerate(clients):
        spread = results.spread(benchmark, case, client, metric)
        if spread is None or spread.median <= 0:
            continue
        values.append(spread.median)
        around = [[spread.median - spread.low], [spread.high - spread.median]]
        axis.barh(place, spread.median, color=_colour(client), xerr=around, ecolor="#00000055")
        axis.annotate(
            f"{spread.median:.3g}" if spread.median < 1000 else f"{spread.median:,.0f}",
            (max(spread.high, spread.median), place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
        )
    axis.set_yticks(range(len(clients)), [label(benchmark, client) for client in clients])
    axis.set_ylim(len(clients) - 0.4, -0.6)
    axis.set_xscale("log")
    _label_ticks(axis.xaxis)
    axis.tick_params(axis="y", length=0)
    return values


def _colour(client: str) -> str:
    return _COLOURS["tokenwire"] if client.startswith("tokenwire") else _COLOURS.get(client, _OTHER)


def _in_order(clients: Sequence[str]) -> list[str]:
    return [client for client in CLIENTS if client in clients]


def _label_ticks(axis: Any) -> None:
    axis.set_major_formatter(_plain_number)
    axis.set_minor_formatter(_no_label)


def _plain_number(value: float, _: int) -> str:
    return f"{value / 1000:g}k" if value >= 10_000 else f"{value:,g}"


def _no_label(_: float, __: int) -> str:
    return ""


def _limit(axis: Any, values: Sequence[float]) -> None:
    """Begin bars at a power of ten below all of them, and leave room for the numbers behind."""
    if values:
        axis.set_xlim(10.0 ** math.floor(math.log10(min(values) * 0.9)), max(values) * 6)


def _caption(figure: Any, text: str) -> None:
    figure.suptitle(text, fontsize=11, x=0.01, ha="left")
    figure.tight_layout()


_PICTURES: Final[Mapping[str, Callable[[Any, Results], Any]]] = {
    "parse": _parse,
    "stream": _stream,
    "crowd": _crowd,
    "scale": _scale,
    "first-token": _first_token,
    "imports": _imports,
}
