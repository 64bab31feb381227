"""How the ground truth is shown: accuracies in percent, everything else in its own unit."""

import math
from dataclasses import dataclass, replace

import numpy as np

from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.types import Estimate

_TRUTHS = {"surrogate": "predicted {} (surrogate)"}
"""How a truth of a kind is called; of any other kind the kind itself stands before it."""

_WORDS = {"ssim": "SSIM", "negative_loss": "negative loss"}


@dataclass(frozen=True, slots=True)
class Measure:
    """What a ground truth is, for people.

    Attributes:
        name: its name in the table, e.g. ``accuracy``, ``ssim``, ``edgegpu_latency``.
        words: the same in running text.
        accuracy: whether it is a fraction in [0, 1] that is shown in percent.
        digits: digits after the point that tell two architectures apart, in the unit that is shown.
        kind: how it came about, see ``ScoreTable.kind``.
    """

    name: str
    words: str
    accuracy: bool
    digits: int
    kind: str = "trained"

    @classmethod
    def of(cls, table: ScoreTable) -> "Measure":
        """Return the measure of a table's truth; digits follow from the spread of its values.

        Args:
            table: scores and truth.
        """
        name = table.measure
        accuracy = name.startswith("accuracy")
        digits = 1 if accuracy else _digits(table)
        return cls(name, _WORDS.get(name, name.replace("_", " ")), accuracy, digits, table.kind)

    @property
    def truth(self) -> str:
        """The measure with how it came about: ``trained accuracy``, ``predicted accuracy (surrogate)``."""
        return _TRUTHS.get(self.kind, f"{self.kind} {{}}").format(self.words)

    @property
    def axis(self) -> str:
        """The label of an axis or column: the measure, with its unit where it is shown in one."""
        words = self.truth if self.kind == "surrogate" else self.words
        return f"{words}, %" if self.accuracy else words

    def difference(self, estimate: Estimate) -> Estimate:
        """Return a difference of two values as it is shown: percent points of accuracies, else unchanged."""
        if not self.accuracy:
            return estimate
        return replace(estimate, value=100 * estimate.value, low=100 * estimate.low, high=100 * estimate.high)


def _digits(table: ScoreTable) -> int:
    """One digit more than the first one of the standard deviation: .001 for .05, and 1 for 25."""
    known = table.truth[np.isfinite(table.truth)]
    spread = float(np.std(known)) if known.size else 0.0
    return 3 if spread == 0 else min(6, max(0, 1 - math.floor(math.log10(spread))))
