"""A shared result as JSON and back; the form is that of ``result.schema.json``."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, replace
from typing import Any

from zcbench.harness.analysis.result import CORRELATIONS
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.results import digests, schema
from zcbench.harness.results.result import (  # fmt: skip
    Architectures,
    Coverage,
    Measurement,
    MetricIdentity,
    RecipeIdentity,
    Result,
    Statistic,
    Truth,
)
from zcbench.harness.types import Estimate, Seconds

LONGEST_SLUG = 60
"""Characters of a metric's name that go into the name of its file."""


def to_text(result: Result) -> str:
    """Return the file's content.

    Raises:
        ZcbenchError: if something in it is not allowed in a shared result, such as a name of 300 characters, or it
            contradicts itself.
    """
    document = to_document(result)
    if wrong := schema.problem(document):
        raise ZcbenchError(f"the result of {schema.short(result.metric.name)} cannot be shared: {wrong}")
    from_document(document)  # what nobody could read is not written
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def to_document(result: Result) -> dict[str, Any]:
    """Return the content as dictionaries, lists, texts, numbers and None for NaN."""
    content = asdict(result)
    del content["file"]
    content["metric"]["components"] = list(result.metric.components)
    content["measurements"] = [_measurement(one) for one in result.measurements]
    content["environments"] = [dict(sorted(one.items())) for one in result.environments]
    return {schema.MARKER: schema.VERSION, **content}


def _measurement(one: Measurement) -> dict[str, Any]:
    content = asdict(one)
    content["recipe"]["seeds"] = list(one.recipe.seeds)
    content["seconds"] = {name: _number(value) for name, value in content["seconds"].items()}
    content["statistics"] = [_statistic(statistic) for statistic in one.statistics]
    return content


def _statistic(one: Statistic) -> dict[str, Any]:
    e = one.estimate
    return {
        "slice": one.slice, "name": one.name, "value": _number(e.value), "low": _number(e.low),
        "high": _number(e.high), "n": e.n, "n_undefined": e.n_undefined, "method": e.method,
    }  # fmt: skip


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def from_document(document: dict[str, Any]) -> Result:
    """Return what a document that satisfies the schema says.

    Raises:
        ZcbenchError: if it contradicts itself: a correlation of 2, an interval upside down, one thing said twice.
    """
    metric = document["metric"]
    result = Result(
        metric=MetricIdentity(**{
            **metric, "version": int(metric["version"]), "components": tuple(metric["components"]),
        }),
        benchmark=document["benchmark"], space=document["space"], by=document["by"].strip(),
        measurements=tuple(_read_measurement(one) for one in document["measurements"]),
        environments=tuple(document["environments"]), provenance=document["provenance"],
    )  # fmt: skip
    settings = [setting(result, one) for one in result.measurements]
    if len(set(settings)) < len(settings):
        raise ZcbenchError("two of its measurements are of the same truth, architectures and recipe")
    return result


def _read_measurement(content: dict[str, Any]) -> Measurement:
    truth, architectures, recipe = content["truth"], content["architectures"], content["recipe"]
    if len({*recipe["seeds"]}) < len(recipe["seeds"]):
        raise ZcbenchError("a recipe names an initialisation seed twice")
    statistics = tuple(_read_statistic(one) for one in content["statistics"])
    if len({(one.slice, one.name) for one in statistics}) < len(statistics):
        raise ZcbenchError("a statistic is given twice for one slice")
    coverage = Coverage(**{name: int(value) for name, value in content["coverage"].items()})
    return Measurement(
        truth=Truth(**{**truth, "epochs": int(truth["epochs"])}),
        architectures=Architectures(
            int(architectures["number"]), architectures["digest"], architectures["population"],
            int(architectures["without_truth"]),
        ),
        recipe=RecipeIdentity(**{
            **recipe, "batch_size": int(recipe["batch_size"]), "seeds": tuple(int(seed) for seed in recipe["seeds"]),
        }),
        scores=content["scores"], undefined=content["undefined"], resamples=int(content["resamples"]),
        coverage=coverage, seconds=Seconds(*(_float(content["seconds"][n]) for n in ("standalone", "marginal"))),
        statistics=statistics,
    )  # fmt: skip


def _read_statistic(content: dict[str, Any]) -> Statistic:
    value, low, high = (_float(content[name]) for name in ("value", "low", "high"))
    name = content["name"]
    if name in CORRELATIONS and any(abs(number) > 1 + 1e-9 for number in (value, low, high)):
        raise ZcbenchError(f"{name} on {content['slice']} lies outside of -1 to 1")
    if low > high:
        raise ZcbenchError(f"the interval of {name} on {content['slice']} ends below where it begins")
    estimate = Estimate(value, low, high, int(content["n"]), int(content["n_undefined"]), content["method"])
    return Statistic(content["slice"], name, estimate)


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)


def setting(result: Result, one: Measurement) -> str:
    """Identify what was measured: two measurements of one setting ought to give the same numbers.

    It holds all of the metric's identity, the benchmark, the truth with its values, the recipe, the set of
    architectures, and the policy for undefined scores; not where and by whom it was measured, nor what came out.
    """
    t = one.truth
    truth = [t.target, t.source, t.split, t.epochs, t.digest]
    return digests.of([
        asdict(result.metric), result.benchmark, result.space, truth, one.recipe.digest,
        one.architectures.digest, one.architectures.population, one.undefined,
    ])  # fmt: skip


def file_name(result: Result) -> str:
    """Return ``<benchmark>/<metric>-v<version>-<digest>.json``.

    The digest is of what was measured, of the scores, of where they were computed and of who hands them in. So
    folders of several people can be merged by copying: only the same scores, from the same person and machine, have
    the same name.
    """
    settings = sorted([setting(result, one), one.scores] for one in result.measurements)
    digest = digests.of([settings, digests.of_environments(result.environments), result.by])
    metric = result.metric
    return f"{slug(result.benchmark)}/{slug(metric.name)}-v{metric.version}-{digest}.json"


def slug(name: str) -> str:
    """Return a name in letters, digits, underscores and hyphens that any file system takes."""
    return re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-")[:LONGEST_SLUG].strip("-") or "unnamed"


def read_as(result: Result, file: str) -> Result:
    """Return the result with the name of the file that it was read from."""
    return replace(result, file=file)
