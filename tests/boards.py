"""Boards made by hand, for the tests of the leaderboard's page."""

import hashlib
import math
import random
from collections.abc import Sequence

from zcbench.harness.results.entry import (
    Architectures,
    Board,
    Coverage,
    Disagreement,
    DisagreementKind,
    Entry,
    MetricIdentity,
    RecipeIdentity,
    Side,
    Submission,
    Truth,
)
from zcbench.harness.types import Estimate, Seconds

STATISTICS = (("all", "spearman"), ("all", "kendall"), ("all", "regret_top1"), ("top10_truth", "spearman"))
RECIPE = RecipeIdentity("f" * 16, "digits, train, batch 32, seed 0; pytorch@1", "digits", 32, "pytorch@1", (0, 1))


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def truth(target: str = "cifar10", *, source: str = "robot", kind: str = "trained", epochs: int = 200) -> Truth:
    sentence = f"{target} test accuracy after {epochs} epochs, mean of seeds ({source})"
    return Truth(target, "accuracy", kind, source, "test", epochs, sentence, digest("truth", target, source))


def submission(by: str = "ada", *, identical: bool = True, file: str = "", seconds: float = 0.02) -> Submission:
    machine = {"zcbench": "0.3.0", "torch": "2.13.0", "device": "cpu", "processor": "Xeon", "threads": "1"}
    return Submission(
        by, "Xeon, cpu, 1 thread, torch 2.13.0", (machine,), "0.3.0", file or f"{by}/result.json",
        Seconds(seconds, seconds / 10), identical,
    )  # fmt: skip


def entry(
    metric: str = "snip", value: float = 0.6, *, benchmark: str = "nasbench201", target: str = "cifar10",
    slice_: str = "all", statistic: str = "spearman", n: int = 300, population: str = "all", version: int = 1,
    width: float = 0.05, seconds: float = 0.02, submissions: Sequence[Submission] = (), source: str = "robot",
    kind: str = "trained", disagreements: Sequence[str] = (), cite: str = "Lee et al. 2019", code: str = "",
) -> Entry:  # fmt: skip
    held = truth(target, source=source, kind=kind)
    sets = Architectures(n, digest("set", benchmark, n, population), population, 12)
    used = max(3, n // 10) if slice_ == "top10_truth" else n
    estimate = Estimate(value, value - width, min(1.0, value + width), used, 2, "bootstrap, percentile")
    by = tuple(submissions) or (submission(seconds=seconds),)
    return Entry(
        digest(metric, version, benchmark, held.digest, sets.digest, slice_, statistic, value, by[0].file),
        MetricIdentity(metric, version, True, cite, code), benchmark, f"{benchmark}@1", held, sets, RECIPE,
        "drop", 1000, slice_, statistic, estimate, Coverage(2 * n - 2, 2, 0), Seconds(seconds, seconds / 10), by,
        tuple(disagreements),
    )  # fmt: skip


def board(entries: Sequence[Entry], disagreements: Sequence[Disagreement] = (), notes: Sequence[str] = ()) -> Board:
    """Sort as a board is sorted."""

    def order(e: Entry) -> tuple[object, ...]:
        value = -e.estimate.value if e.statistic != "regret_top1" else e.estimate.value
        missing = math.isnan(value)
        return e.benchmark, e.truth.target, e.slice, e.statistic, missing, 0.0 if missing else value, e.metric.name

    return Board(tuple(sorted(entries, key=order)), tuple(disagreements), 7, tuple(notes))


def small() -> Board:
    """Two benchmarks, three targets, six metrics, four statistics; one confirmed, one disputed, one undefined."""
    draw = random.Random(3)
    both = (submission("ada"), submission("grace", identical=False, seconds=0.05))
    entries: list[Entry] = []
    for benchmark, target, kind in (
        ("nasbench201", "cifar10", "trained"), ("nasbench201", "cifar100", "trained"),
        ("nasbench301", "cifar10", "surrogate"),
    ):  # fmt: skip
        for m, metric in enumerate(("synflow", "swap(repeats=32)", "snip", "params", "plain", "zico")):
            for slice_, statistic in STATISTICS:
                value = 0.85 - 0.2 * m + draw.uniform(-0.05, 0.05) - 0.3 * (slice_ != "all")
                if statistic == "regret_top1":
                    value = 0.01 + 0.002 * m
                if metric == "plain" and slice_ != "all":
                    value = math.nan
                entries.append(
                    entry(metric, value, benchmark=benchmark, target=target, kind=kind, slice_=slice_,
                          statistic=statistic, seconds=0.01 * (1 + m), submissions=both if metric == "snip" else ())
                )  # fmt: skip
    first = entry("zico", 0.41, target="imagenet16", disagreements=("d" * 16,), submissions=(submission("ada"),))
    second = entry("zico", 0.55, target="imagenet16", disagreements=("d" * 16,), submissions=(submission("linus"),))
    held = tuple(
        Side((by,), (f"{by}/result.json",), f"spearman {e.estimate.value:.4f}, 300 with a score, 2 without", (e.key,))
        for by, e in (("ada", first), ("linus", second))
    )
    what = "zico v1 on nasbench201, imagenet16, 300 architectures: spearman on the slice all differs by 0.14"
    disagreement = Disagreement(
        "d" * 16, DisagreementKind.ESTIMATES, "zico", 1, "nasbench201", "imagenet16", what, held,
        ("torch: 2.13.0 / 2.6.0",),
    )  # fmt: skip
    return board([*entries, first, second], [disagreement], ["left/out.json was left out: it is not a result."])


def large(rows: int = 5000) -> Board:
    """As many rows as a large folder gives: 60 metrics in versions, four benchmarks, targets, slices, statistics."""
    draw = random.Random(5)
    names = [f"metric_{i}" for i in range(60)]
    entries: list[Entry] = []
    at = 0
    while len(entries) < rows:
        metric, version = names[at % 60], 1 + at // 60 // 80
        place = at // 60 % 80
        benchmark = ("nasbench101", "nasbench201", "nasbench301", "natsbench_size")[place % 4]
        target = ("cifar10", "cifar100", "imagenet16", "svhn", "flowers")[place // 4 % 5]
        slice_, statistic = STATISTICS[place // 20 % 4]
        value = 0.01 if statistic == "regret_top1" else draw.uniform(-0.5, 0.9)
        entries.append(entry(metric, value, benchmark=benchmark, target=target, slice_=slice_, statistic=statistic,
                             version=version, seconds=draw.uniform(0.001, 1.0)))  # fmt: skip
        at += 1
    return board(entries)
