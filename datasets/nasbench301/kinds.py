"""Which sources of a table are predictions of a surrogate, where the table itself does not say so."""

from __future__ import annotations

from zcbench.datasets.truth import TruthTable

PREDICTED = frozenset({"naslib"})
"""Sources whose values are predictions: NASLib asked the surrogate for its 725 genotypes."""


def with_kinds(table: TruthTable, name: str) -> TruthTable:
    """Return the table with the kind ``surrogate`` for the sources of `PREDICTED`; it replaces ``trained``.

    A table without the column ``kind`` counts as trained, which is wrong for these.

    Args:
        table: the table.
        name: what to call it in an error.
    """
    if not PREDICTED & set(table.sources):
        return table
    frame = table.frame
    frame["kind"] = frame["kind"].astype(str).mask(frame["source"].isin(PREDICTED), "surrogate")
    return TruthTable(frame, name)
