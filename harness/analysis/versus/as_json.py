"""A comparison as plain data for JSON: the same bytes for the same input."""

import dataclasses

from zcbench.harness.analysis.output import plain
from zcbench.harness.analysis.versus.parts import ALPHA, TWIN
from zcbench.harness.analysis.versus.result import Comparison

FORMAT = 1
"""Version of the layout."""


def to_json(comparison: Comparison) -> dict[str, object]:
    """Return the comparison as dictionaries, lists, texts and numbers, without anything that ``json`` cannot write.

    The names are those of the records in ``result`` and ``parts``, properties such as
    ``Difference.side`` included. NaN and infinities become None. Written with ``json.dumps`` it is the same text for
    the same scores and seconds, in whatever order they came.
    """
    return {"format": FORMAT, "alpha": ALPHA, "twin_beyond": TWIN, **_record(comparison)}


def _record(value: object) -> dict[str, object]:
    """Return the fields of a record, then its properties."""
    assert dataclasses.is_dataclass(value)
    names = [one.name for one in dataclasses.fields(value)]
    names += [name for name, one in vars(type(value)).items() if isinstance(one, property)]
    return {name: _plain(getattr(value, name)) for name in names}


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return _record(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return plain(value)
