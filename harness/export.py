"""Scores as tidy Parquet or CSV."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from zcbench.harness.errors import MissingFileError, ZcbenchError
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
            pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **store.metadata()}), temporary)
    return len(frame)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file beside ``path`` that replaces it when the block has ended well.

    Raises:
        MissingFileError: if the folder does not exist.
        ZcbenchError: if it cannot be written.
    """
    if not path.parent.is_dir():
        raise MissingFileError(f"cannot write {path}: the folder {path.parent} does not exist")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ZcbenchError(f"cannot write {path}: {error.strerror or error}") from error
