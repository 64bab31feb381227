"""The scores of a baseline in a Parquet file beside it: every bit of every score, outcomes, reasons, truths."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.gate.measured import Measured

TRUTH = "truth"
"""Outcome of the rows that hold a ground truth; its target stands in the column ``metric``."""

_COLUMNS = pa.schema(
    [("entry", pa.int32()), ("metric", pa.string()), ("init_seed", pa.int64()), ("architecture", pa.string()),
     ("value", pa.float64()), ("outcome", pa.string()), ("reason", pa.string()),
     ("seconds", pa.float64())]
)  # fmt: skip


def sidecar_of(path: Path) -> Path:
    """Return where the scores of a baseline stand: ``reference.scores.parquet`` beside ``reference.json``."""
    return path.with_name(f"{path.stem}.scores.parquet")


def content_of(entries: Sequence[Measured]) -> bytes:
    """Return the scores and ground truths as Parquet; the same scores give the same bytes."""
    parts = []
    for place, entry in enumerate(entries):
        names = np.array(entry.architectures, dtype=object)
        for m, metric in enumerate(entry.metrics):
            for s, recipe in enumerate(entry.recipes):
                cut = np.s_[:, m, s]
                has = entry.outcome[cut] != ""
                parts.append(
                    pd.DataFrame({
                        "entry": place, "metric": metric.key, "init_seed": recipe.init_seed, "architecture": names[has],
                        "value": entry.values[cut][has], "outcome": entry.outcome[cut][has],
                        "reason": entry.reason[cut][has], "seconds": entry.seconds[cut][has],
                    })
                )  # fmt: skip
        for truth in entry.truths:
            parts.append(
                pd.DataFrame({"entry": place, "metric": truth.name, "init_seed": -1, "architecture": names,
                              "value": truth.values, "outcome": TRUTH, "reason": "", "seconds": np.nan})
            )  # fmt: skip
    table = pa.Table.from_pandas(pd.concat(parts), schema=_COLUMNS, preserve_index=False)
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(None), buffer, compression="zstd")
    return buffer.getvalue()


def read(path: Path, named: Mapping[str, str]) -> pd.DataFrame:
    """Read the scores of a baseline.

    Args:
        path: the baseline.
        named: its ``scores``: file and digest.

    Raises:
        MissingFileError: if the file is not there.
        ZcbenchError: if it was changed, or is of another form.
    """
    beside = path.with_name(named["file"])
    if not beside.is_file():
        raise MissingFileError(f"the scores {beside} of the baseline {path} are not there: keep both files together")
    content = beside.read_bytes()
    if hashlib.sha256(content).hexdigest() != named["sha256"]:
        raise ZcbenchError(f"the scores {beside} are not those that the baseline {path} was written with: record again")
    try:
        table = pq.read_table(io.BytesIO(content))
        names, frame = table.schema.names, table.to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:  # names and texts that are no UTF-8 are ValueErrors
        raise ZcbenchError(f"the scores {beside} cannot be read ({error}): record the baseline again") from error
    if names != _COLUMNS.names:
        raise ZcbenchError(f"the scores {beside} have other columns than {', '.join(_COLUMNS.names)}: record again")
    return frame
