"""NAS-Bench-201: its search space, its network and the accuracies of its trained cells."""

from zcbench.datasets.nasbench201.benchmark import NasBench201
from zcbench.harness.space import Benchmark

__all__ = ["BENCHMARK"]

BENCHMARK: Benchmark = NasBench201()
"""The benchmark, as the registry finds it."""
