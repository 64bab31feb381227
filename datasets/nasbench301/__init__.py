"""NAS-Bench-301 and DARTS: search space, networks and the accuracies of its trained architectures."""

from zcbench.datasets.nasbench301.benchmark import DARTS, NASBENCH301
from zcbench.harness.space import Benchmark

__all__ = ["BENCHMARKS"]

BENCHMARKS: tuple[Benchmark, ...] = (NASBENCH301, DARTS)
"""The benchmarks, as the registry finds them."""
