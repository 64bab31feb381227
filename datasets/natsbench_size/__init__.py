"""The size search space of NATS-Bench: search space, networks and the accuracies of its trained architectures."""

from pathlib import Path

from zcbench.datasets.nats_record import DATASETS
from zcbench.datasets.natsbench_size.space import Space
from zcbench.datasets.tables import TableBenchmark
from zcbench.harness.space import Benchmark, Conversion

__all__ = ["BENCHMARK"]


def _convert(path: Path, out: Path, *, curves: bool, progress: bool | None) -> Conversion:
    from zcbench.datasets.natsbench_size.convert import convert  # only where there is something to convert

    return convert(path, out, curves=curves, progress=progress)


BENCHMARK: Benchmark = TableBenchmark(
    name="natsbench_size",
    space=Space(),
    datasets=tuple(DATASETS.values()),
    default_sources=("nats-sss-v1_0",),
    tables=("natsbench_size.parquet",),
    converter=_convert,
)
"""The benchmark, as the registry finds it."""
