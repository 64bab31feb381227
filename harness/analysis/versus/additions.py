"""The best baseline, and what the candidate adds to it and to the counts."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.information import gains
from zcbench.harness.analysis.intervals import no_estimate, percentile
from zcbench.harness.analysis.partial_ranks import partial_given
from zcbench.harness.analysis.ranks import why_undefined
from zcbench.harness.analysis.versus.parts import BEST, CONTROLS, Addition
from zcbench.harness.analysis.versus.samples import TRUTH, Resampled
from zcbench.harness.types import Estimate


class Additions:
    """The candidate given other metrics, the best baseline chosen anew in every resample.

    Which baseline is the best, and how far the candidate leads it, follows the policy for undefined scores, as every
    difference does. What the candidate adds rests on the architectures where all that takes part has a score of its
    own: with ``worst``, a copy of the number of parameters that is undefined on disconnected cells would seem to add
    to it, as these cells are bad. That is known from their being disconnected, before any metric, and would be counted
    for every candidate that needs a pass. The policy asks how good a ranking with these cells at its end is; an
    addition asks what the scores tell.

    Args:
        samples: correlations under all draws.
        baselines: names.
        seed: of the shuffles.
    """

    def __init__(self, samples: Resampled, baselines: Sequence[str], *, seed: int) -> None:
        self._samples, self._seed = samples, seed
        self._population = samples.population
        there = (i for i in map(self._population.index, sorted(baselines)) if i is not None)
        self._eligible = tuple(i for i in there if self._may_be_best(i))

    def _may_be_best(self, metric: int) -> bool:
        """Whether a baseline has a score on at least half of those that the candidate has, and a correlation."""
        ours = self._samples.candidate
        rows = self._samples.rows([ours, metric])
        scores, truth = self._population.scores[:, rows], self._population.truth_codes[rows]
        half = 2 * self._samples.own([ours, metric]).sum() >= self._samples.own([ours]).sum()
        return bool(half) and not (why_undefined(scores[ours], truth) or why_undefined(scores[metric], truth))

    def ask(self) -> None:
        """Announce everything that will be read."""
        ours, controls = self._samples.candidate, self._samples.controls
        for best in (None, *self._eligible):
            named = () if best is None else (best,)
            for given in (*((c,) for c in controls), named, (*controls, *named)):
                self._samples.ask(self._samples.own([ours, *given]), [ours, *given])

    @property
    def best(self) -> str:
        """The baseline with the highest Spearman on the data; empty where none may be."""
        return self._population.metrics[self._eligible[self._chosen[0]]] if self._eligible else ""

    @cached_property
    def _chosen(self) -> NDArray[np.int64]:
        """Which of the eligible is the best on the data and in every resample, int64[1 + B]; the first of several."""
        return np.asarray(np.argmax(np.nan_to_num(self._of_eligible(self._theirs), nan=-np.inf), axis=0))

    def _theirs(self, metric: int) -> NDArray[np.float64]:
        return self._samples.rho(self._samples.rows([self._samples.candidate, metric]), metric)

    def _ours(self, metric: int) -> NDArray[np.float64]:
        ours = self._samples.candidate
        return self._samples.rho(self._samples.rows([ours, metric]), ours)

    def _of_eligible(self, read: Callable[[int], NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.stack([read(metric) for metric in self._eligible])

    def lead(self) -> Estimate:
        """Return the candidate's Spearman less that of the best baseline, on the architectures that have both."""
        if not self._eligible:
            return no_estimate("undefined: no baseline to compare with")
        apart = np.take_along_axis(
            self._of_eligible(self._ours) - self._of_eligible(self._theirs), self._chosen[None], axis=0
        )[0]
        best = self._eligible[self._chosen[0]]
        n = int(self._samples.rows([self._samples.candidate, best]).sum())
        return percentile(float(apart[0]), apart[1:], n=n, n_undefined=self._lost([best]))

    def additions(self) -> Iterator[Addition]:
        """Yield the additions: given each count, given the best baseline, and given all of these together."""
        ours = self._population.metrics[self._samples.candidate]
        counts = [name for name in CONTROLS if name != ours]
        given: list[tuple[str, ...]] = [(name,) for name in (*counts, BEST)]
        there = [n for n in counts if self._population.index(n) is not None] + [BEST] * bool(self._eligible)
        if len(there) > 1:
            given.append(tuple(there))
        for names in given:
            yield self._addition(names)

    def _addition(self, given: tuple[str, ...]) -> Addition:
        missing = [g for g in given if (not self._eligible if g == BEST else self._population.index(g) is None)]
        if missing:
            why = f"undefined: no scores of {missing[0]}" if missing[0] != BEST else "undefined: there is no baseline"
            return Addition(given, (), no_estimate(why), float("nan"), float("nan"), redundant=False)
        names = tuple(dict.fromkeys(self.best if g == BEST else g for g in given))
        counts = [i for g in given if g != BEST and (i := self._population.index(g)) is not None]
        at = [i for i in map(self._population.index, names) if i is not None]
        bits, level, redundant = self._bits(at)
        return Addition(given, names, self._partial(counts, BEST in given, at), bits, level, redundant)

    def _partial(self, counts: list[int], with_best: bool, at: list[int]) -> Estimate:
        """Return the partial Spearman given counts and, perhaps, the best baseline.

        Args:
            counts: indices.
            with_best: whether the best baseline is given too.
            at: all that is given on the data.
        """
        n, lost = self._n(at), self._lost(at)
        rows = self._samples.own([self._samples.candidate, *at])
        scores, truth = self._population.scores[:, rows], self._population.truth_codes[rows]
        why = why_undefined(scores[self._samples.candidate], truth)
        if why:
            return no_estimate(why, n=n, n_undefined=lost)
        if with_best:
            each = self._of_eligible(lambda best: self._given([*counts, best]))
            found = np.take_along_axis(each, self._chosen[None], axis=0)[0]
        else:
            found = self._given(counts)
        if np.isnan(found[0]):
            return no_estimate("undefined: what is given decides the ranks", n=n, n_undefined=lost)
        return percentile(float(found[0]), found[1:], n=n, n_undefined=lost)

    def _given(self, controls: list[int]) -> NDArray[np.float64]:
        """Return the partial Spearman given some metrics, of which at most one is no count, float64[1 + B]."""
        ours = self._samples.candidate
        columns = [ours, TRUTH, *dict.fromkeys(controls)]
        rows = self._samples.own([ours, *controls])
        size = len(columns)
        pairs = {(i, j): self._samples.rho(rows, columns[i], columns[j]) for i in range(size) for j in range(i)}
        matrix = np.ones((len(next(iter(pairs.values()))), size, size))
        for (i, j), rho in pairs.items():
            matrix[:, i, j] = matrix[:, j, i] = rho
        return partial_given(matrix)

    def _bits(self, at: list[int]) -> tuple[float, float, bool]:
        """Return the gain of information given metrics, the level of shuffles, and whether they determine it."""
        ours = self._samples.candidate
        rows = self._samples.own([ours, *at])
        columns = [ours, *at]
        scores, truth = self._population.scores[columns][:, rows], self._population.truth_codes[rows]
        if why_undefined(scores[0], truth):
            return float("nan"), float("nan"), False
        names = tuple(self._population.metrics[m] for m in columns)
        gain = next(g for g in gains(names, scores, truth, seed=self._seed) if g.metric == names[0])
        return gain.beside_others, gain.level, gain.redundant

    def _n(self, metrics: Sequence[int]) -> int:
        return int(self._samples.own([self._samples.candidate, *metrics]).sum())

    def _lost(self, metrics: Sequence[int]) -> int:
        return int(self._population.failed[[self._samples.candidate, *metrics]].any(axis=0).sum())
