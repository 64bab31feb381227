"""Which ground truth is meant: from options to targets; shared by every verb that needs accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zcbench.datasets import images
from zcbench.datasets.registry import benchmark as find_benchmark
from zcbench.datasets.tidy import HARDWARE
from zcbench.datasets.truth import Target, TruthTable, split_target
from zcbench.harness.errors import MissingFileError, ZcbenchError, unknown
from zcbench.harness.space import Benchmark


@dataclass(frozen=True)
class TruthOptions:
    """Which ground truth: the options of ``truth``.

    Attributes:
        targets: datasets or tasks, each perhaps with the value that is meant: ``cifar10/edgegpu_latency``.
        source: only this source, by benchmark; an empty name stands for all others.
        split: part of the dataset, likewise.
        epochs: length of the training, likewise.
        file: a table to use instead of the default ones.
        costs: whether to add what the architectures cost on hardware, where the ground truth has it.
        several: whether there are several benchmarks, so that a target belongs to those that have it.
    """

    targets: tuple[str, ...]
    source: Mapping[str, str]
    split: Mapping[str, str]
    epochs: Mapping[str, str]
    file: Path | None
    costs: bool = False
    several: bool = False

    @classmethod
    def of(
        cls, benchmarks: Sequence[str], targets: tuple[str, ...], sources: Sequence[str], splits: Sequence[str],
        epochs: Sequence[str], file: Path | None, *, costs: bool,
    ) -> TruthOptions:
        """Return the options as they came from the command line, checked.

        Raises:
            ZcbenchError: if one of them names another benchmark, or names one twice, or there is one table for
                several benchmarks.
        """
        several = len(set(benchmarks)) > 1
        if several and file is not None:
            raise ZcbenchError("--truth FILE is for one benchmark: choose it with --benchmark, or set ZCBENCH_DATA")
        texts = {"source": sources, "split": splits, "epochs": epochs}
        asked = {name: _by_benchmark(name, given, benchmarks) for name, given in texts.items()}
        for text in asked["epochs"].values():
            if not text.removeprefix("-").isdecimal():
                raise ZcbenchError(f"--epochs is a whole number, not {text!r}")
        found = cls(targets, asked["source"], asked["split"], asked["epochs"], file, costs, several)
        check_targets(benchmarks, found)
        return found

    @property
    def datasets(self) -> tuple[str, ...]:
        """Datasets or tasks of the targets."""
        return tuple(split_target(target)[0] for target in self.targets)

    @property
    def unrestricted(self) -> TruthOptions:
        """The same without source, split and epochs: accuracies and costs differ in all of them."""
        return replace(self, source={}, split={}, epochs={})

    def source_of(self, benchmark: str) -> str | None:
        """Return the source that is asked for."""
        return self.source.get(benchmark, self.source.get(""))

    def split_of(self, benchmark: str) -> str | None:
        """Return the split that is asked for."""
        return self.split.get(benchmark, self.split.get(""))

    def epochs_of(self, benchmark: str) -> int | None:
        """Return the number of epochs that is asked for."""
        text = self.epochs.get(benchmark, self.epochs.get(""))
        return None if text is None else int(text)


def _by_benchmark(option: str, texts: Sequence[str], benchmarks: Sequence[str]) -> dict[str, str]:
    """Read ``NAME`` and ``BENCHMARK=NAME``."""
    found: dict[str, str] = {}
    for text in texts:
        before, equals, after = text.partition("=")
        name, value = (before, after) if equals else ("", text)
        if name and name not in benchmarks:
            raise unknown(f"benchmark in --{option}", name, benchmarks)
        if name in found:
            raise ZcbenchError(f"--{option} is given twice{f' for {name}' if name else ''}: write BENCHMARK=VALUE")
        found[name] = value
    return found


def check_targets(benchmarks: Sequence[str], options: TruthOptions) -> None:
    """Refuse a target that none of several benchmarks has.

    Raises:
        ZcbenchError: with the nearest names.
    """
    known = {d for name in benchmarks for d in find_benchmark(name).datasets}
    for name in options.targets if options.several and options.file is None else ():
        if split_target(name)[0] not in known:
            raise unknown("target of these benchmarks", name, known)


def load(
    found: Benchmark, options: TruthOptions, architectures: Sequence[str] | None = None
) -> TruthTable:
    """Load the ground truth of a benchmark, with all its sources.

    The named source is chosen later, so that the noise ceiling and the reproduction of published figures can
    use the others. A source that is not in the default tables, such as the embedded one beside ZCBENCH_DATA or
    a surrogate, is loaded by itself.

    Args:
        found: the benchmark.
        options: which ground truth.
        architectures: the ones that are needed, for a surrogate to predict.
    """

    def truth(source: str | None) -> TruthTable:
        return found.truth(source=source, path=options.file, architectures=architectures)

    source = options.source_of(found.name)
    try:
        table = truth(None)
    except MissingFileError:
        if source is None:
            raise
        return truth(source)
    return truth(source) if source is not None and source not in table.sources else table


def targets_of(found: Benchmark, options: TruthOptions) -> list[Target]:
    """Load the ground truth and return the targets."""
    return choose_targets(found, load(found, options), options)


def choose_targets(
    found: Benchmark, table: TruthTable, options: TruthOptions, *, dataset: str | None = None, tasks: Sequence[str] = ()
) -> list[Target]:
    """Return the ground truths: those asked for, else those of the networks' tasks or of the images, else all.

    Args:
        found: the benchmark.
        table: its ground truth.
        options: what is asked for.
        dataset: images that were scored on; None where that is not known.
        tasks: tasks of the networks that were scored.
    """
    names: Sequence[str] = options.targets
    if options.several:
        names = [name for name in names if split_target(name)[0] in {*found.datasets, *table.datasets}]
    if not names:
        # Of the table's datasets those that are image datasets of their own; not variants such as cifar10_ptq.
        known = [d for d in found.datasets if d in table.datasets and d in images.datasets()]
        done = [task for task in tasks if task in table.datasets]
        names = done or ([dataset] if dataset in known else known or table.datasets[:1])
    targets = [_select(found, table, options, name) for name in dict.fromkeys(names)]
    if all(is_cost(target) for target in targets):  # what something costs says nothing without how good it is
        datasets = dict.fromkeys(target.dataset for target in targets)
        targets = [_select(found, table, options.unrestricted, dataset) for dataset in datasets] + targets
    return targets + (_costs(found, table, options, targets) if options.costs else [])


def _select(found: Benchmark, table: TruthTable, options: TruthOptions, name: str) -> Target:
    dataset, metric = split_target(name)
    return table.select(
        dataset, metric=metric, source=options.source_of(found.name), split=options.split_of(found.name),
        epochs=options.epochs_of(found.name),
        default_sources=found.default_sources, default_split=found.default_split,
    )  # fmt: skip


def is_cost(target: Target) -> bool:
    """Say whether a target is what an architecture costs, and not how good it is."""
    return target.split == HARDWARE or not target.higher_is_better


def _costs(found: Benchmark, table: TruthTable, options: TruthOptions, targets: Sequence[Target]) -> list[Target]:
    """Return every latency and energy of the datasets of the targets, but for those that are targets already."""
    asked = {target.name for target in targets}
    names = [f"{dataset}/{metric}" for dataset in dict.fromkeys(target.dataset for target in targets)
             for metric in table.metrics(dataset)]  # fmt: skip
    new = (name for name in names if name not in asked and _measured_cost(name))
    costs = (_select(found, table, options.unrestricted, name) for name in new)
    chosen = [target for target in costs if is_cost(target)]
    if not chosen and not options.several:
        raise MissingFileError(
            f"the ground truth of {found.name} has no latency or energy of {', '.join(sorted(asked))}: leave out "
            f"--costs, or see zcbench data status {found.name}"
        )
    return chosen


def _measured_cost(name: str) -> bool:
    """Say whether a value is a latency or an energy; the time of a training is none of the architecture's own."""
    return name.endswith(("_latency", "_energy"))
