"""NAS-Bench-101: its search space, its networks and the accuracies of its trained cells."""

from zcbench.datasets.nasbench101.benchmark import BENCHMARK as _BENCHMARK
from zcbench.harness.space import Benchmark

__all__ = ["BENCHMARK"]

BENCHMARK: Benchmark = _BENCHMARK
"""The benchmark, as the registry finds it."""
