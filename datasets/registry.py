"""Find the benchmarks: the sub-packages of zcbench.datasets, and those that other packages offer."""

import importlib
import importlib.metadata
import pkgutil

import zcbench.datasets
from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.space import Benchmark

GROUP = "zcbench.benchmarks"
"""Entry-point group under which another package offers a benchmark object."""


def benchmarks() -> dict[str, Benchmark]:
    """Return every benchmark by name.

    A benchmark is an object named ``BENCHMARK`` in a sub-package of zcbench.datasets, one of several in a
    tuple named ``BENCHMARKS`` there, or one that an entry point of the group ``zcbench.benchmarks`` names.

    Raises:
        ZcbenchError: if a plug-in cannot be imported, or two benchmarks have one name.
    """
    found: dict[str, Benchmark] = {}
    for module in pkgutil.iter_modules(zcbench.datasets.__path__):
        if module.ispkg:
            package = importlib.import_module(f"zcbench.datasets.{module.name}")
            single = (package.BENCHMARK,) if hasattr(package, "BENCHMARK") else ()
            for offered in getattr(package, "BENCHMARKS", single):
                _add(found, offered, package.__name__)
    for point in importlib.metadata.entry_points(group=GROUP):
        try:
            offered = point.load()
        except Exception as error:  # a plug-in may fail in any way, and must be named
            raise ZcbenchError(f'the benchmark plug-in "{point.value}" cannot be loaded: {error}') from error
        _add(found, offered, point.value)
    return found


def benchmark(name: str) -> Benchmark:
    """Return the benchmark of this name.

    Raises:
        ZcbenchError: if there is none, with the nearest names.
    """
    known = benchmarks()
    if name not in known:
        raise unknown("benchmark", name, known)
    return known[name]


def _add(found: dict[str, Benchmark], offered: Benchmark, origin: str) -> None:
    if offered.name in found:
        raise ZcbenchError(f'{origin} offers a benchmark "{offered.name}", but there is one of that name')
    found[offered.name] = offered
