"""How numbers are spelt for people; every renderer uses the same spelling."""

import math
from dataclasses import dataclass

from zcbench.harness.analysis.table import Cell, Column, Compared, Kind
from zcbench.harness.types import Estimate

NONE = "–"
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Spelt:
    """A cell in words.

    Attributes:
        text: the value.
        interval: ``[low, high]``, or the published figure beside ours; empty where there is none.
        numeric: whether the cell is a number, which is set flush right.
        apart: whether the published figure lies outside our interval.
    """

    text: str
    interval: str = ""
    numeric: bool = False
    apart: bool = False


def number(value: float, digits: int) -> str:
    """Return a number with a proper minus sign and thousands separators; a dash where there is none.

    Args:
        value: the number; NaN and infinities are spelt as ``NONE`` and ``∞``.
        digits: digits after the decimal point.
    """
    if math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:,.{digits}f}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")  # no negative zero
    return text.replace("-", MINUS)


def probability(value: float, digits: int) -> str:
    """Return a p-value; ``< 0.0001`` where its digits would all be zero."""
    least = 10.0**-digits
    return f"< {least:.{digits}f}" if value < least else number(value, digits)


def interval(estimate: Estimate, digits: int) -> str:
    """Return ``[low, high]``, or nothing where the estimate has no interval."""
    if math.isnan(estimate.value) or math.isnan(estimate.low) or math.isnan(estimate.high):
        return ""
    return f"[{number(estimate.low, digits)}, {number(estimate.high, digits)}]"


def fine(estimate: Estimate, digits: int) -> int:
    """Return ``digits``, but three for a value between .99 and 1: what is not one should not read 1.00."""
    return max(digits, 3) if 0.99 < estimate.value < 1 else digits


def phrase(estimate: Estimate, digits: int = 2) -> str:
    """Return an estimate for running text, e.g. ``0.78 [0.70, 0.84]``."""
    digits = fine(estimate, digits)
    return f"{number(estimate.value, digits)} {interval(estimate, digits)}".strip()


def spell(cell: Cell, column: Column) -> Spelt:
    """Return a cell as its column asks for it; an empty cell stays empty."""
    if cell is None:
        return Spelt("")
    if isinstance(cell, Estimate):
        digits = fine(cell, column.digits)
        return Spelt(number(cell.value, digits), interval(cell, digits), numeric=True)
    if isinstance(cell, Compared):
        return _compared(cell, column.digits)
    if isinstance(cell, str):
        return Spelt(cell, numeric=column.kind is not Kind.TEXT)
    match column.kind:
        case Kind.TEXT:
            return Spelt(str(cell))
        case Kind.INTEGER:
            return Spelt(number(cell, 0), numeric=True)
        case Kind.PROBABILITY:
            return Spelt(probability(cell, column.digits), numeric=True)
        case Kind.PERCENT:
            return Spelt(number(100 * cell, column.digits), numeric=True)
        case _:
            return Spelt(number(cell, column.digits), numeric=True)


def _compared(cell: Compared, digits: int) -> Spelt:
    """``0.80 / 0.77`` for ours and the published figure, ``≠`` between them where it is not covered."""
    published, ours = number(cell.published, digits), cell.ours
    if ours is None:
        return Spelt("", published, numeric=True)
    apart = cell.covered is False
    value = number(ours.value, fine(ours, digits))
    return Spelt(value, f"{'≠' if apart else '/'} {published}", numeric=True, apart=apart)


def plural(count: int, noun: str, many: str = "") -> str:
    """Return ``1 metric`` or ``15 metrics``."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def listed(names: list[str] | tuple[str, ...]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))
