"""What the leaderboard calls slices, statistics, truths and sets of architectures."""

from collections.abc import Iterable

from zcbench.harness.results.entry import Entry, Truth
from zcbench.reports.names import benchmark_title
from zcbench.reports.section import SURROGATE

_SLICES = {
    "all": "all architectures",
    "top10_truth": "best 10 % by truth",
    "top10_score": "best 10 % by score",
}

_STATISTICS = {
    "spearman": "Spearman",
    "kendall": "Kendall τ\N{NON-BREAKING HYPHEN}b",
    "weighted_tau": "Weighted τ",
    "pearson_of_ranks": "Pearson of ranks",
    "partial_spearman_params": "Spearman given params",
    "partial_spearman_flops": "Spearman given FLOPs",
    "spearman_over_counts": "Spearman less the best count's",
    "precision_at_10": "Precision at 10",
    "precision_at_10pct": "Precision at 10 %",
    "regret_top1": "Regret of the best 1",
    "regret_top5": "Regret of the best 5",
}


def slice_title(name: str) -> str:
    """Return a slice in words; one that is not known here as it is."""
    return _SLICES.get(name, name)


def statistic_title(name: str) -> str:
    """Return a statistic as the field spells it; one that is not known here as it is."""
    return _STATISTICS.get(name, name)


def target_title(truth: Truth) -> str:
    """Return the target; a truth that nobody trained is marked."""
    return f"{truth.target} ({SURROGATE})" if truth.kind == SURROGATE else truth.target


class RecipeNames:
    """Short names for how scores were made, where a board has more than one way; else empty.

    Args:
        entries: the rows of the board.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        ways = {(e.benchmark, e.recipe.digest, e.undefined): self._spell(e) for e in entries}
        same: dict[tuple[str, str], set[str]] = {}
        for (benchmark, digest, _), name in ways.items():
            same.setdefault((benchmark, name), set()).add(digest)
        self._several = len(set(ways.values())) > 1
        self._twice = {key for key, digests in same.items() if len(digests) > 1}

    @staticmethod
    def _spell(entry: Entry) -> str:
        recipe = entry.recipe
        seeds = f", {len(recipe.seeds)} seeds" if len(recipe.seeds) > 1 else ""
        policy = ", undefined last" if entry.undefined == "worst" else ""
        return f"{recipe.dataset}, batch {recipe.batch_size}, {recipe.init}{seeds}{policy}"

    def short(self, entry: Entry) -> str:
        """Return the name for a row; with the recipe's digest where what it says does not tell two apart."""
        name = self._spell(entry)
        if (entry.benchmark, name) in self._twice:
            return f"{name} ({entry.recipe.digest[:6]})"
        return name if self._several else ""


class ArchitectureNames:
    """Names for sets of architectures: ``300 of all``, with the set's digest where that is not enough.

    Args:
        entries: where the sets occur.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        sets = {self.option(entry): entry for entry in entries}
        several = len({entry.benchmark for entry in sets.values()}) > 1
        self._full = {
            option: f"{benchmark_title(entry.benchmark)}: {self._plain(entry)}" if several else self._plain(entry)
            for option, entry in sets.items()
        }
        taken = list(self._full.values())
        self._ending = {
            option: f" ({sets[option].architectures.digest[:6]})" if taken.count(name) > 1 else ""
            for option, name in self._full.items()
        }

    @staticmethod
    def option(entry: Entry) -> str:
        """Return what identifies a set and the subset of the space that it was taken from."""
        return f"{entry.architectures.population}-{entry.architectures.digest}"

    @staticmethod
    def _plain(entry: Entry) -> str:
        return f"{entry.architectures.number:,} of {entry.architectures.population}"

    def short(self, entry: Entry) -> str:
        """Return the name for a row, which says its benchmark besides."""
        return self._plain(entry) + self._ending[self.option(entry)]

    def options(self) -> tuple[tuple[str, str], ...]:
        """Return what identifies every set, and its full name, by name."""
        named = ((option, name + self._ending[option]) for option, name in self._full.items())
        return tuple(sorted(named, key=lambda one: (one[1], one[0])))
