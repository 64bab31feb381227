"""Find the benchmarks: the sub-packages of zcbench.datasets, and those that other packages offer."""

import importlib
import pkgutil
from typing import Any

import zcbench.datasets
from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.plugins import Offer, left_out, offered
from zcbench.harness.space import Benchmark

GROUP = "zcbench.benchmarks"
"""Entry-point group under which another package offers a benchmark object."""


def benchmarks() -> dict[str, Benchmark]:
    """Return every benchmark by name.

    A benchmark is an object named ``BENCHMARK`` in a sub-package of zcbench.datasets, one of several in a
    tuple named ``BENCHMARKS`` there, or one that an entry point of the group ``zcbench.benchmarks`` names.

    A plug-in that cannot be loaded is left out, see ``offers``.

    Raises:
        ZcbenchError: if two benchmarks have one name.
    """
    found: dict[str, Benchmark] = {}
    for module in pkgutil.iter_modules(zcbench.datasets.__path__):
        if module.ispkg:
            package = importlib.import_module(f"zcbench.datasets.{module.name}")
            single = (package.BENCHMARK,) if hasattr(package, "BENCHMARK") else ()
            for one in getattr(package, "BENCHMARKS", single):
                _add(found, one, package.__name__)
    for offer in offers():
        if offer.found is not None:
            _add(found, offer.found, offer.point.value)
    return found


def offers() -> list[Offer[Benchmark]]:
    """Return what plug-ins offer."""
    return offered(GROUP, _benchmark)


def _benchmark(loaded: Any) -> Benchmark:
    if hasattr(loaded, "space") and hasattr(loaded, "name"):
        return loaded  # type: ignore[no-any-return]
    raise ZcbenchError("it is no benchmark")


def benchmark(name: str) -> Benchmark:
    """Return the benchmark of this name.

    Raises:
        ZcbenchError: if there is none, with the nearest names.
    """
    known = benchmarks()
    if name not in known:
        raise ZcbenchError(str(unknown("benchmark", name, known)) + left_out(offers()))
    return known[name]


def _add(found: dict[str, Benchmark], offered: Benchmark, origin: str) -> None:
    if offered.name in found:
        raise ZcbenchError(f'{origin} offers a benchmark "{offered.name}", but there is one of that name')
    found[offered.name] = offered
