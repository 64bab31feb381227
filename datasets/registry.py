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

    A plug-in that cannot be loaded is left out, see ``broken``.

    Raises:
        ZcbenchError: if two benchmarks have one name.
    """
    found: dict[str, Benchmark] = {}
    for module in pkgutil.iter_modules(zcbench.datasets.__path__):
        if module.ispkg:
            package = importlib.import_module(f"zcbench.datasets.{module.name}")
            single = (package.BENCHMARK,) if hasattr(package, "BENCHMARK") else ()
            for offered in getattr(package, "BENCHMARKS", single):
                _add(found, offered, package.__name__)
    for point in importlib.metadata.entry_points(group=GROUP):
        if (offered := _offered(point)[0]) is not None:
            _add(found, offered, point.value)
    return found


def broken() -> dict[str, str]:
    """Return why plug-ins cannot be loaded, by ``name = value`` of their entry point."""
    points = importlib.metadata.entry_points(group=GROUP)
    tried = {f"{point.name} = {point.value}": _offered(point)[1] for point in points}
    return {name: why for name, why in tried.items() if why}


def _offered(point: importlib.metadata.EntryPoint) -> tuple[Benchmark | None, str]:
    """Return the benchmark that an entry point names, or None and why there is none."""
    try:
        offered = point.load()
    except (Exception, SystemExit) as error:  # a plug-in may fail in any way, and must not take the program with it
        return None, f"{type(error).__name__}: {' '.join(str(error).split())}"
    return (offered, "") if hasattr(offered, "space") and hasattr(offered, "name") else (None, "it is no benchmark")


def benchmark(name: str) -> Benchmark:
    """Return the benchmark of this name.

    Raises:
        ZcbenchError: if there is none, with the nearest names.
    """
    known = benchmarks()
    if name not in known:
        more = "".join(f" The plug-in {plugin} cannot be loaded: {why}." for plugin, why in broken().items())
        raise ZcbenchError(str(unknown("benchmark", name, known)) + more)
    return known[name]


def _add(found: dict[str, Benchmark], offered: Benchmark, origin: str) -> None:
    if offered.name in found:
        raise ZcbenchError(f'{origin} offers a benchmark "{offered.name}", but there is one of that name')
    found[offered.name] = offered
