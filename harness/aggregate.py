"""An aggregate: a score made from the ranks of several metrics, so that it belongs to a population.

An architecture has no rank of its own. Its aggregate changes with the architectures that it is ranked among, which
is why aggregates are not scored and stored like metrics, but computed in the analysis, on the population that is
analysed (``zcbench.harness.analysis.aggregated``).

A architectures, K components.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcbench.harness import aggregates as folder
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.plugins import Offer, offered

ENTRY_POINTS = "zcbench.aggregates"

Scores = NDArray[np.float64]
"""float64[A, K]: every component signed so that high stands for high accuracy; -inf where it has no value."""

Function = Callable[[Scores], NDArray[np.float64]]


@dataclass(frozen=True)
class Aggregate:
    """A score of an architecture among others.

    Attributes:
        name: the paper's name in lower snake case; no metric has it.
        version: rises whenever a score changes.
        function: a pure function of the component scores of a whole population, [A, K] -> [A].
        components: names of the K metrics, without parameters.
        rule: the formula in a few words, for tables.
        cite: the citation.
        caveats: what a user must know before trusting the number.
    """

    name: str
    version: int
    function: Function
    components: tuple[str, ...]
    rule: str
    cite: str
    caveats: str

    def __call__(self, scores: Scores) -> NDArray[np.float64]:
        """Return the aggregate of every architecture of a population, float64[A]; higher is better.

        Args:
            scores: float64[A, K], signed; -inf stands for an undefined component, and ranks last.

        Raises:
            ValueError: another number of columns, or NaN, which has no rank.
        """
        if scores.ndim != 2 or scores.shape[1] != len(self.components):
            raise ValueError(f"{self.name} takes {len(self.components)} components, not shape {scores.shape}")
        if np.isnan(scores).any():
            raise ValueError(f"{self.name}: NaN has no rank; an undefined component is -inf")
        return self.function(scores)


def aggregate(
    name: str, *, version: int, components: tuple[str, ...], rule: str, cite: str, caveats: str
) -> Callable[[Function], Aggregate]:
    """Turn a pure function of component scores into an aggregate.

    Args:
        name: the paper's name in lower snake case.
        version: an integer that rises whenever a score changes.
        components: names of the metrics that it ranks by, in the order of the columns.
        rule: the formula in a few words.
        cite: the citation.
        caveats: what a user must know before trusting the number.
    """
    if len(set(components)) != len(components) or len(components) < 2:
        raise TypeError(f"aggregate {name} needs two or more different components, not {components}")

    def decorate(function: Function) -> Aggregate:
        return Aggregate(name, version, function, components, rule, cite, caveats)

    return decorate


def ranks(scores: Scores) -> NDArray[np.float64]:
    """Return the rank of every score in its column, from 1 for the lowest; ties share their mean rank, [A, K]."""
    from scipy import stats  # half a second, for which no verb that only scores should wait

    return np.asarray(stats.rankdata(scores, axis=0), dtype=np.float64)


def dense_ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks 1, 2, ... of one column in which equal scores share a rank and no rank is skipped, [A]."""
    from scipy import stats

    return np.asarray(stats.rankdata(scores, method="dense"), dtype=np.float64)


@cache
def aggregates() -> dict[str, Aggregate]:
    """Return every aggregate by name: the files of ``harness/aggregates`` and the installed entry points.

    A plug-in that cannot be loaded is left out, see ``offers``.

    Raises:
        ZcbenchError: if two aggregates have one name.
    """
    modules = [importlib.import_module(f"{folder.__name__}.{m.name}") for m in pkgutil.iter_modules(folder.__path__)]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Aggregate)]
    found += [offer.found for offer in offers() if offer.found is not None]
    named: dict[str, Aggregate] = {}
    for one in found:
        if named.setdefault(one.name, one) is not one:
            raise ZcbenchError(f"two aggregates are called {one.name}; rename the one that was added")
    return dict(sorted(named.items()))


def offers() -> list[Offer[Aggregate]]:
    """Return what plug-ins offer."""
    return offered(ENTRY_POINTS, _aggregate)


def _aggregate(loaded: Any) -> Aggregate:
    if isinstance(loaded, Aggregate):
        return loaded
    raise ZcbenchError("it is no aggregate: decorate the function with @aggregate")
