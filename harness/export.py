"""Scores as tidy Parquet or CSV."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from zcbench.harness.replace import replacing
from zcbench.harness.store import EXPORT_COLUMNS, Store


def write(store: Store, path: Path) -> int:
    """Write all rows of a store, with recipes and environments as metadata of a Parquet file.

    Args:
        store: the store.
        path: ends in ``.parquet`` or ``.csv``.

    Returns:
        The number of rows.
    """
    frame = store.frame()[list(EXPORT_COLUMNS)]
    with replacing(path) as temporary:
        if path.suffix == ".csv":
            frame.to_csv(temporary, index=False)
        else:
            table = pa.Table.from_pandas(frame, preserve_index=False)
            metadata = {**(table.schema.metadata or {}), **store.metadata()}
            with temporary.open("wb") as file:  # pyarrow knows no names that are not UTF-8
                pq.write_table(table.replace_schema_metadata(metadata), file)
    return len(frame)
