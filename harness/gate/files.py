"""A baseline as two files: JSON of a published schema, and the scores of every architecture beside it as Parquet."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files as packaged
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd

from zcbench.harness.analysis.cube import Cube
from zcbench.harness.analysis.output import plain
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.gate import sidecar
from zcbench.harness.gate.agreement import disagreement
from zcbench.harness.gate.baseline import SCHEMA_VERSION, Baseline, Recorded
from zcbench.harness.gate.measured import Measured, MetricRecord, TruthRecord, digest_of
from zcbench.harness.gate.wording import visible
from zcbench.harness.replace import replacing, write_text
from zcbench.harness.types import Estimate, Outcome, Recipe

FORMAT = "zcbench-gate-baseline"


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of a baseline."""
    text = packaged(__package__).joinpath("baseline.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def check_name(path: Path) -> None:
    """Refuse a baseline of another ending, before anything is scored for it.

    Raises:
        ZcbenchError: unless it ends in ``.json``.
    """
    if path.suffix != ".json":
        raise ZcbenchError(f"a baseline is a .json file, not {path.name}: --baseline reference.json")


def write(baseline: Baseline, path: Path) -> tuple[Path, Path]:
    """Write a baseline; the JSON comes last, so that it never names scores that are not there.

    Args:
        baseline: what to write.
        path: ends in ``.json``.

    Returns:
        The paths of the JSON and of the scores.

    Raises:
        ZcbenchError: for another ending, or where it cannot be written.
    """
    check_name(path)
    beside = sidecar.sidecar_of(path)
    content = sidecar.content_of(baseline.entries)
    text = json.dumps(plain(_document(baseline, beside.name, content)), indent=1, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(beside) as temporary:
        temporary.write_bytes(content)
    write_text(path, text + "\n")
    return path, beside


def read(path: Path) -> Baseline:
    """Read a baseline and check all of it.

    Raises:
        MissingFileError: if it or its scores are not there.
        ZcbenchError: if one of them is damaged, changed or of another form.
    """
    if not path.is_file():
        raise MissingFileError(f"there is no baseline {path}: make it with zcbench gate --record --baseline {path}")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ZcbenchError(f"the baseline {path} is not JSON ({error}): record it again") from error
    _validate(document, path)
    frame = sidecar.read(path, document["scores"])
    entries: list[Measured] = []
    provenance = document["provenance"]
    for place, entry in enumerate(document["benchmarks"]):
        try:
            entries.append(_entry(entry, frame[frame["entry"] == place], provenance["calibration_seconds"][place]))
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise ZcbenchError(f"the baseline {path} does not fit its scores ({error}): record it again") from error
        _check(entries[-1], entry, path)
    estimates = tuple(tuple(map(_recorded, entry["estimates"])) for entry in document["benchmarks"])
    told = {key: text for key, text in provenance.items() if key != "calibration_seconds"}
    return Baseline(tuple(entries), estimates, told, str(path))


def _validate(document: object, path: Path) -> None:
    """Refuse what the schema does not allow, in one line."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ZcbenchError(f'{path} is no baseline: it does not say "format": "{FORMAT}"')
    version = document.get("schema")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ZcbenchError(f"the baseline {path} has schema {version}, this zcbench knows {SCHEMA_VERSION}: update it")
    error = next(iter(sorted(jsonschema.Draft202012Validator(schema()).iter_errors(document), key=_depth)), None)
    if error is not None:
        where = "/".join(map(str, error.absolute_path)) or "the top level"
        what = error.message if len(error.message) <= 160 else f"{error.message[:157]}..."
        raise ZcbenchError(f"the baseline {path} is not of its schema at {where}: {what}; record it again")


def _depth(error: jsonschema.ValidationError) -> tuple[int, str]:
    return len(error.absolute_path), "/".join(map(str, error.absolute_path))


def _document(baseline: Baseline, beside: str, content: bytes) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "schema": SCHEMA_VERSION,
        "scores": {"file": beside, "sha256": hashlib.sha256(content).hexdigest()},
        "benchmarks": [
            _entry_document(entry, rows) for entry, rows in zip(baseline.entries, baseline.estimates, strict=True)
        ],
        "provenance": {
            **dict(sorted(baseline.provenance.items())),
            "calibration_seconds": [entry.calibration for entry in baseline.entries],
        },
    }


def _entry_document(entry: Measured, estimates: tuple[Recorded, ...]) -> dict[str, Any]:
    return {
        "name": entry.name,
        "benchmark": entry.benchmark,
        "space": entry.space,
        "recipes": [json.loads(recipe.to_json()) for recipe in entry.recipes],
        "architectures": {"count": len(entry.architectures), "sha256": digest_of(entry.architectures)},
        "metrics": [
            {
                "metric": m.key, "version": m.version, "higher_is_better": m.higher_is_better, "code": m.code,
                "seconds": entry.median_seconds(place),
                "outcomes": {o: int((entry.outcome[:, place] == o).sum()) for o in Outcome},
            }
            for place, m in enumerate(entry.metrics)
        ],
        "targets": [
            {
                "target": truth.name, "description": truth.description,
                "question": dict(sorted(truth.question.items())),
                "count": int((~np.isnan(truth.values)).sum()), "sha256": truth.digest(entry.architectures),
            }
            for truth in entry.truths
        ],
        "estimates": [
            {
                "metric": r.metric, "target": r.target, "statistic": r.statistic, "slice": r.slice,
                "value": r.estimate.value, "low": r.estimate.low, "high": r.estimate.high,
                "n": r.estimate.n, "n_undefined": r.estimate.n_undefined, "method": r.estimate.method,
            }
            for r in estimates
        ],
        "environment": dict(sorted(entry.environment.items())),
    }  # fmt: skip


def _nan(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _entry(entry: Mapping[str, Any], frame: pd.DataFrame, calibration: float | None) -> Measured:
    recipes = tuple(Recipe(**recipe) for recipe in entry["recipes"])
    metrics = tuple(
        MetricRecord(m["metric"], m["version"], m["higher_is_better"], m["code"]) for m in entry["metrics"]
    )
    of_truth = frame["outcome"] == sidecar.TRUTH
    scores = frame[~of_truth].assign(value=lambda rows: rows["value"].astype(float))
    architectures = sorted(frame["architecture"].unique())
    cube = Cube(scores, architectures, [m.key for m in metrics], [r.init_seed for r in recipes])
    truths = []
    for target in entry["targets"]:
        values = frame[of_truth & (frame["metric"] == target["target"])].set_index("architecture")["value"]
        truths.append(
            TruthRecord(target["target"], target["description"], target["question"],
                        values.reindex(architectures).to_numpy(dtype=np.float64))
        )  # fmt: skip
    outcome = cube.text("outcome")
    return Measured(
        entry["benchmark"], entry["space"], recipes, tuple(architectures), metrics, cube.number("value"), outcome,
        cube.text("reason"), cube.number("seconds"), tuple(truths), entry["environment"], _nan(calibration),
    )  # fmt: skip


def _check(entry: Measured, document: Mapping[str, Any], path: Path) -> None:
    """Refuse scores that are not of the architectures and ground truths that the JSON names, or do not fit it."""
    if digest_of(entry.architectures) != document["architectures"]["sha256"]:
        raise ZcbenchError(f"the baseline {path} names other architectures of {entry.name} than its scores have")
    for truth, target in zip(entry.truths, document["targets"], strict=True):
        if truth.digest(entry.architectures) != target["sha256"]:
            raise ZcbenchError(f"the baseline {path} names another ground truth of {entry.name} than its scores have")
    if what := disagreement(entry, document):
        raise ZcbenchError(
            f"the baseline {path} was edited: of {visible(entry.name)} it says {visible(what)}, which its scores do "
            "not bear out; record it again"
        )


def _recorded(row: Mapping[str, Any]) -> Recorded:
    estimate = Estimate(
        _nan(row["value"]), _nan(row["low"]), _nan(row["high"]), row["n"], row["n_undefined"], row["method"]
    )
    return Recorded(row["metric"], row["target"], row["statistic"], row["slice"], estimate)
