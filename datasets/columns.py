"""What the single columns of a ground-truth table may hold."""

import re
from collections.abc import Iterable
from typing import cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zcbench.harness.errors import ZcbenchError

LONGEST = 5_000
"""Characters of a text; the longest architecture of the benchmarks has about 500."""

LIMIT = 2**31
"""What ``epochs`` and ``seed`` are below; both are -1 or more."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def check_text(column: str, values: Iterable[object], name: str) -> None:
    """Refuse what is no text, or no text of one line; see `LONGEST`.

    Args:
        column: name of the column.
        values: its values.
        name: what to call the table in an error.

    Raises:
        ZcbenchError: with the first such value.
    """
    if isinstance(values, pd.Index) and _plainly_printable(values):
        return
    values = list(values)
    if _plainly_text(values):
        return
    for found in values:
        value = found.item() if isinstance(found, np.generic) else found
        if reason := no_text(value):
            shown = ascii(value)
            shown = shown if len(shown) <= 80 else shown[:77] + "..."
            raise ZcbenchError(f"{name}: the column {column} holds {reason}, e.g. {shown}")


def _plainly_printable(values: pd.Index) -> bool:
    """Say the same of hundreds of thousands of names, which are slow to look at as Python objects."""
    try:
        texts = pa.array(values)
        return bool(
            pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)
        ) and not texts.null_count and bool(
            pc.all(pc.utf8_is_printable(texts)).as_py()
            and pc.min(pc.utf8_length(pc.utf8_trim_whitespace(texts))).as_py()
            and pc.max(pc.utf8_length(texts)).as_py() <= LONGEST
        )
    except (pa.ArrowException, TypeError, ValueError):
        return False


def _plainly_text(values: list[object]) -> bool:
    """Say quickly whether all is well with many texts; False if that has to be looked at one by one."""
    if set(map(type, values)) != {str}:
        return False
    texts = cast(list[str], values)
    return all(map(str.strip, texts)) and max(map(len, texts), default=0) <= LONGEST and "".join(texts).isprintable()


def no_text(value: object) -> str:
    """Say what is wrong with a text; nothing if nothing is."""
    if not isinstance(value, str):
        return f"{type(value).__name__} instead of text"
    if not value.strip():
        return "empty text"
    if len(value) > LONGEST:
        return f"text of {len(value)} characters, more than {LONGEST}"
    return "control characters" if _UNPRINTABLE.search(value) else ""


def check_numbers(column: pd.Series, name: str) -> None:
    """Refuse what is no number, not finite or out of bounds.

    Args:
        column: ``epochs``, ``seed`` or ``value``.
        name: what to call the table in an error.

    Raises:
        ZcbenchError: with the first such value.
    """
    kind, example = column.dtype.kind, ascii(column[:1].tolist()[0])[:80]
    if column.name == "value":
        if kind not in "iuf":
            raise ZcbenchError(f"{name}: the column value holds {column.dtype} instead of numbers, e.g. {example}")
        if not (finite := np.isfinite(column.to_numpy())).all():
            raise not_finite(name, column[~finite].iloc[0])
        return
    if kind not in "iu":
        what = f"holds {column.dtype} instead of whole numbers, e.g. {example}"
        raise ZcbenchError(f"{name}: the column {column.name} {what}")
    check_whole(str(column.name), int(column.min()), int(column.max()), name)


def check_whole(column: str, smallest: int, largest: int, name: str) -> None:
    """Refuse epochs and seeds that are none.

    Args:
        column: ``epochs`` or ``seed``.
        smallest: its smallest value.
        largest: its largest value.
        name: what to call the table in an error.

    Raises:
        ZcbenchError: if one of them is below -1, or `LIMIT` or more.
    """
    bad = smallest if smallest < -1 else largest
    if not -1 <= bad < LIMIT:
        raise ZcbenchError(f"{name}: the column {column} holds {bad}, which is not from -1 to {LIMIT - 1}")


def not_finite(name: str, value: float) -> ZcbenchError:
    """Return the error for values that are infinite, with the first one."""
    return ZcbenchError(f"{name}: the column value holds what is no finite number, e.g. {value}")
