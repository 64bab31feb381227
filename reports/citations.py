"""Published correlation tables, as they were printed: one cited TOML file each."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from zcbench.harness.errors import ZcbenchError

_REQUIRED = ("id", "short", "title", "authors", "venue", "where", "absolute", "digits", "caveats")


@dataclass(frozen=True, slots=True)
class PublishedTruth:
    """A ground truth of ours that is the one of a published column, after the longest training.

    Attributes:
        source: our source of ground truth.
        dataset: our name of the dataset trained on.
        seed: the training seed; None for the mean over the seeds, or where the source has one value only.
        split: the part that it was measured on.
        metric: what was measured, by the name in the table: ``accuracy``, ``ssim``, ``negative_loss``.
    """

    source: str
    dataset: str
    seed: int | None = None
    split: str = "test"
    metric: str = "accuracy"

    @property
    def target(self) -> str:
        """The dataset, with the metric where that is no accuracy: ``autoencoder/ssim``."""
        return self.dataset if self.metric == "accuracy" else f"{self.dataset}/{self.metric}"


@dataclass(frozen=True, slots=True)
class PublishedColumn:
    """One benchmark and dataset of a published table, and what its truth was.

    Attributes:
        key: the column's name in the file.
        benchmark: our name of the benchmark.
        dataset: our name of the dataset.
        population: ``all`` or ``no_dead_edge``.
        truth: the truth in words; empty where it is not recorded here.
        architectures: how many architectures the figures rest on; None where it is not recorded here.
        epochs: length of the training; None where it is not known.
        truths: truths of ours that are the same, the preferred first; empty where we have none.
        batch_size: None where it is not known.
        caveats: what a reader must know before comparing with this column.
    """

    key: str
    benchmark: str
    dataset: str
    population: str
    truth: str
    architectures: int | None = None
    epochs: int | None = None
    truths: tuple[PublishedTruth, ...] = ()
    batch_size: int | None = None
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """The figures of one metric.

    Attributes:
        metric: our name of the metric.
        printed: its name in the publication.
        values: statistic (``spearman``, ``kendall``) to column key to the printed figure.
        note: what to know about this row.
    """

    metric: str
    printed: str
    values: Mapping[str, Mapping[str, float]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """One published table.

    Attributes:
        id: name of its file.
        short: what people call it.
        title: title of the paper.
        authors: family names.
        venue: where it appeared.
        arxiv: arXiv id, empty where there is none.
        where: figure or table.
        absolute: whether signs were dropped in print.
        digits: digits that were printed after the point.
        init: our name of the weight initialisation, empty where it is not known.
        init_text: the initialisation in words.
        runs: number of runs that a figure is the mean of.
        caveats: what a reader must know before comparing.
        columns: its columns by key.
        rows: its rows in printed order.
    """

    id: str
    short: str
    title: str
    authors: str
    venue: str
    arxiv: str
    where: str
    absolute: bool
    digits: int
    init: str
    init_text: str
    runs: int
    caveats: tuple[str, ...]
    columns: Mapping[str, PublishedColumn]
    rows: tuple[PublishedRow, ...]

    @property
    def citation(self) -> str:
        """Authors, title, venue, arXiv id and place in one line."""
        arxiv = f", arXiv:{self.arxiv}" if self.arxiv else ""
        return f"{self.authors}: {self.title}. {self.venue}{arxiv}, {self.where}"


@cache
def published() -> Mapping[str, Published]:
    """Return every published table that comes with the package, by id."""
    folder = resources.files("zcbench.reports").joinpath("published")
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    tables = [_read(file) for file in files]
    return {table.id: table for table in tables}


def _read(file: Traversable) -> Published:
    try:
        return parse(file.read_text(encoding="utf-8"))
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
        raise ZcbenchError(f"the published table {file} is damaged: {error}; install zcbench again") from error


def parse(text: str) -> Published:
    """Return the table that a TOML text describes.

    Raises:
        ValueError: a field is missing or a row names a column that is not described.
    """
    raw = tomllib.loads(text)
    missing = [key for key in _REQUIRED if key not in raw]
    if missing:
        raise ValueError(f"published table without {', '.join(missing)}")
    columns = {c["key"]: _column(c) for c in raw["columns"]}
    rows = tuple(_row(r, columns) for r in raw["rows"])
    return Published(
        **{key: raw[key] for key in _REQUIRED if key != "caveats"},
        arxiv=raw.get("arxiv", ""),
        init=raw.get("init", ""),
        init_text=raw.get("init_text", "not stated"),
        runs=raw.get("runs", 1),
        caveats=tuple(raw["caveats"]),
        columns=columns,
        rows=rows,
    )


def _column(raw: Mapping[str, Any]) -> PublishedColumn:
    truths = tuple(PublishedTruth(**truth) for truth in raw.get("truths", ()))
    return PublishedColumn(**{**raw, "truths": truths, "caveats": tuple(raw.get("caveats", ()))})


def _row(raw: Mapping[str, object], columns: Mapping[str, PublishedColumn]) -> PublishedRow:
    values: dict[str, dict[str, float]] = {}
    for statistic in ("spearman", "kendall"):
        figures = raw.get(statistic, {})
        if not isinstance(figures, dict) or not figures.keys() <= columns.keys():
            raise ValueError(f"published row {raw.get('printed')}: unknown column in {statistic}")
        if figures:
            values[statistic] = {key: float(value) for key, value in figures.items()}
    return PublishedRow(str(raw["metric"]), str(raw["printed"]), values, str(raw.get("note", "")))
