"""The summary of a report says only what holds on the same architectures."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from zcbench.reports import summary


def test_trivial_counts_are_compared_on_the_metrics_own_architectures():
    """A count that is weak on all, but strong where the metric is defined, is not passed by the metric."""
    rng = np.random.default_rng(0)
    truth = np.linspace(0.1, 0.9, 60)
    count = truth.copy()
    count[:20] = 1.5 + rng.random(20)  # wrong on the first twenty only
    other = truth + rng.normal(0, 0.05, 60)
    other[:20] = np.nan
    made = SimpleNamespace(
        undefined="drop",
        table=SimpleNamespace(frame=lambda: pd.DataFrame({"truth": truth, "params": count, "mine": other})),
    )
    assert summary._trivial(made, "mine", ["params"]) == 1.0
    made.undefined = "worst"
    assert summary._trivial(made, "mine", ["params"]) < 0.9
