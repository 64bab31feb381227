"""One entry of a baseline beside the same thing measured now."""

from __future__ import annotations

from dataclasses import dataclass

from zcbench.harness.gate.measured import Measured, MetricRecord, unlike

Places = tuple[int, int]
"""Places of a metric in the record and now."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Scores then and now, of the same benchmark, images and architectures.

    Attributes:
        then: the entry of the baseline.
        now: what was measured now.
        level: probability of a false alarm that is allowed to each check that is subject to chance.
        tolerance: relative difference of single values that counts as none where the environment is another one.
        max_cost_ratio: largest ratio of costs.
    """

    then: Measured
    now: Measured
    level: float
    tolerance: float
    max_cost_ratio: float

    @property
    def fresh(self) -> bool:
        """Whether the scores of now have other initialisation seeds."""
        return self.seeds(self.then) != self.seeds(self.now)

    @staticmethod
    def seeds(one: Measured) -> tuple[int, ...]:
        """Return the initialisation seeds."""
        return tuple(recipe.init_seed for recipe in one.recipes)

    @property
    def moved(self) -> tuple[str, ...]:
        """In which decisive parts the environment differs; empty where scores must repeat to the last bit."""
        return unlike(self.then.environment, self.now.environment)

    @property
    def common(self) -> tuple[Places, ...]:
        """Places of the metrics that both have, then and now."""
        both = ((place, self.now.metric(m.key)) for place, m in enumerate(self.then.metrics))
        return tuple((then, now) for then, now in both if now is not None)

    def of(self, places: Places) -> tuple[MetricRecord, MetricRecord]:
        """Return what a metric was and is."""
        return self.then.metrics[places[0]], self.now.metrics[places[1]]
