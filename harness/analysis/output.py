"""Analyses as files: correlations.csv for spreadsheets, analysis.json with everything."""

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from zcbench.harness.analysis.result import COLUMNS, Analysis
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.replace import write_text

FORMAT = 1
"""Version of the JSON's layout."""


def write(analyses: Sequence[Analysis], folder: Path | str) -> tuple[Path, Path]:
    """Write correlations.csv and analysis.json, each at once (a temporary file, then a rename).

    Args:
        analyses: any number, e.g. one a ground truth.
        folder: is made if it does not exist.

    Returns:
        The two paths.

    Raises:
        ZcbenchError: the folder cannot be made or written to.
    """
    folder = Path(folder)
    frames = [analysis.to_frame() for analysis in analyses]
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))
    document = {"format": FORMAT, "analyses": [to_json(analysis) for analysis in analyses]}
    csv, full = folder / "correlations.csv", folder / "analysis.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ZcbenchError(f"cannot write the analysis to {folder}: {error.strerror or error}") from error
    write_text(csv, frame.to_csv(index=False, lineterminator="\n"))
    write_text(full, json.dumps(plain(document), indent=1, allow_nan=False) + "\n")
    return csv, full


def to_json(analysis: Analysis) -> dict[str, object]:
    """Return the analysis as a plain dictionary; NaN stays NaN until it is written, then becomes null."""
    table, matrix = analysis.table, analysis.metric_matrix
    rows = [
        {**line, "method": row.estimate.method}
        for line, row in zip(analysis.to_frame().to_dict("records"), analysis.rows, strict=True)
    ]
    return {
        "benchmark": table.benchmark, "target": table.target, "source": table.source,
        "population": table.population, "truth": table.truth_description, "measure": table.measure,
        "kind": table.kind,
        "recipe": table.recipe,
        "architectures": len(table.architectures), "without_truth": table.without_truth,
        "metrics": dict(zip(table.metrics, table.versions, strict=True)) if table.versions else {},
        "undefined": analysis.undefined, "resamples": analysis.resamples, "seed": analysis.seed,
        "rows": rows, "metric_matrix": dataclasses.asdict(matrix),
        "ceiling": dataclasses.asdict(analysis.ceiling) if analysis.ceiling else None,
        "stability": [dataclasses.asdict(entry) for entry in analysis.stability],
    }  # fmt: skip


def plain(value: object) -> object:
    """Turn arrays into lists and NaN and infinities, which JSON does not have, into None."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
