"""Finding metrics: every file of a folder, the entry-point group of other packages, and files that a user names."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable
from functools import cache
from inspect import ismodule
from pathlib import Path
from typing import Any

from zcbench.harness import metrics as metrics_folder
from zcbench.harness.aggregate import aggregates
from zcbench.harness.errors import MissingFileError, ZcbenchError, unknown
from zcbench.harness.metric import Metric, ParameterValue
from zcbench.harness.metric_file import metrics_in
from zcbench.harness.plugins import Offer, left_out, offered

ENTRY_POINTS = "zcbench.metrics"

NAS_BENCH_SUITE_ZERO = (
    "epe_nas", "fisher", "flops", "grad_norm", "grasp", "jacov", "l2_norm",
    "nwot", "params", "plain", "snip", "synflow", "zen",
)  # fmt: skip
"""The thirteen metrics of NAS-Bench-Suite-Zero (Krishnakumar et al., NeurIPS 2022, arXiv:2210.03230)."""


_included: dict[Path, bool] = {}
"""Files that were added by ``include``, in the order in which they were, and whether they must have a metric."""


@cache
def builtin() -> dict[str, Metric]:
    """Return the metrics that come with zcbench, by name."""
    found: dict[str, Metric] = {}
    for module in pkgutil.iter_modules(metrics_folder.__path__):
        loaded = importlib.import_module(f"{metrics_folder.__name__}.{module.name}")
        _add(found, [value for value in vars(loaded).values() if isinstance(value, Metric)], loaded.__name__)
    return dict(sorted(found.items()))


@cache
def metrics() -> dict[str, Metric]:
    """Return every metric by name: those of zcbench, of installed plug-ins, and of files that were included.

    A plug-in that cannot be loaded is left out, see ``offers``.

    Raises:
        ZcbenchError: if two metrics have one name.
    """
    found = dict(builtin())
    for offer in offers():
        _add(found, offer.found or (), offer.point.value)
    for path, required in _included.items():
        _add(found, metrics_in(path, required=required), str(path))
    return dict(sorted(found.items()))


def offers() -> list[Offer[list[Metric]]]:
    """Return what plug-ins offer: an entry point names a metric, a list of metrics, or a module."""
    return offered(ENTRY_POINTS, _metrics_of)


def _metrics_of(loaded: Any) -> list[Metric]:
    values = vars(loaded).values() if ismodule(loaded) else loaded if isinstance(loaded, list | tuple) else [loaded]
    if found := [value for value in values if isinstance(value, Metric)]:
        return found
    raise ZcbenchError("it is no metric: decorate the function with @metric or @from_function")


def include(path: Path) -> list[Metric]:
    """Add the metrics of a file, or of all files of a folder, for this process.

    Args:
        path: a Python file; or a folder, of which files whose names begin with ``_`` or ``test_`` and files without
            a metric are left out.

    Raises:
        MissingFileError: if it does not exist.
        ZcbenchError: if a file cannot be imported or has no metric, or two metrics have one name.
    """
    if not path.exists():
        raise MissingFileError(f"there is no file or folder {path}: --include-path takes Python files with metrics")
    files = [path]
    if path.is_dir():
        files = sorted(f for f in path.glob("*.py") if not f.name.startswith(("_", "test_")))
    new = {file.resolve(): file == path for file in files if file.resolve() not in _included}
    _included.update(new)
    metrics.cache_clear()
    try:
        metrics()
        return [metric for metric in metrics().values() if metric.source is not None and metric.source.path in new]
    except ZcbenchError:
        exclude(*new)
        raise


def exclude(*paths: Path) -> None:
    """Take back what ``include`` added."""
    for path in paths:
        _included.pop(path.resolve(), None)
    metrics.cache_clear()


def _add(found: dict[str, Metric], new: Iterable[Metric], origin: str) -> None:
    for metric in new:
        if not _same(found.setdefault(metric.name, metric), metric):
            raise ZcbenchError(f"there is a metric called {metric.name} already: rename the one in {origin}")


def _same(known: Metric, metric: Metric) -> bool:
    """Say whether two metrics of one name are one: a file may be named twice, and be edited in between."""
    from_files = known.source is not None and metric.source is not None
    return known is metric or (from_files and known.source.path == metric.source.path)  # type: ignore[union-attr]


THEORY = (
    "hnas_grad", "hnas_grasp", "hnas_jacobian_max", "hnas_snip", "hnas_trace", "hnas_trace_code", "nasi_trace",
    "ntk_condition", "parameter_norm",
)  # fmt: skip
"""What the checks of theorem 1 of HNAS and the bounds read."""

DEAR = ("gradsign", "hnas_", "knas", "ntk_", "te_nas_", "zero_cost_")
"""How names of the metrics begin that `literature` leaves out.

Most of them need a gradient for every image or output, passes for every operation of a supernet, or networks of their
own. Families are left out whole: hnas_grad, hnas_trace_code and the forms of hnas_snip take no such passes.
"""

GROUPS = {
    "standard": "the default: those of NAS-Bench-Suite-Zero, the number of layers and swap",
    "nas_bench_suite_zero": "the thirteen of NAS-Bench-Suite-Zero",
    "literature": "every metric of zcbench without a required parameter but parameter_norm and the families gradsign, "
    "hnas, knas, ntk, te_nas and zero_cost, which are left out whole because most of their members need a gradient "
    "for every image or output, or passes for every operation of a supernet; vkdnw is in it and takes a backward for "
    "every class",
    "theory": "what the checks of HNAS's theorem and the bounds read",
    "all": "every metric without a required parameter, those of plug-ins included; several of them take minutes "
    "on one architecture",
}
"""What the named groups hold, in words; besides, the name of an aggregate stands for its components."""


def groups() -> dict[str, tuple[str, ...]]:
    """Return the named groups: metrics with a required parameter are in none of them.

    The name of an aggregate stands for its components: they are what is scored, and the analysis makes the aggregate.
    """
    usable = tuple(name for name, metric in metrics().items() if not metric.missing_parameters())
    ours = tuple(name for name in usable if name in builtin())
    made = {name: one.components for name, one in aggregates().items() if set(one.components) <= set(usable)}
    return {
        "standard": tuple(sorted((*NAS_BENCH_SUITE_ZERO, "layers", "swap"))),
        "nas_bench_suite_zero": NAS_BENCH_SUITE_ZERO,
        "literature": tuple(n for n in ours if not n.startswith(DEAR) and n != "parameter_norm"),
        "theory": THEORY,
        "all": usable,
        **made,
    }


def select(text: str) -> list[Metric]:
    """Return the metrics that a comma-separated list names, each once.

    Args:
        text: names of metrics or groups, or files with metrics; parameters in brackets, e.g.
            ``snip,swap(repeats=32),my_metric.py,others.py:one_of_them``.

    Raises:
        MissingFileError: for a file that is not there.
        ZcbenchError: for unknown names or parameters and for missing required parameters.
    """
    chosen: dict[str, Metric] = {}
    for item in split(text):
        for metric in _named(item):
            if missing := metric.missing_parameters():
                wanted = ",".join(f"{name}=..." for name in missing)
                raise ZcbenchError(f"{metric.name} needs {' and '.join(missing)}: write {metric.name}({wanted})")
            chosen[metric.key] = metric
    if not chosen:
        raise ZcbenchError("no metric is named: give --metrics a list like snip,synflow or a group like standard")
    return list(chosen.values())


def split(text: str) -> list[str]:
    """Split at commas outside of brackets."""
    return [item.strip() for item in re.split(r",(?![^(]*\))", text) if item.strip()]


def _named(item: str) -> list[Metric]:
    if in_file := re.fullmatch(r"(.+\.py)(?::(\w+))?(?:\((.*)\))?", item):
        return _of_file(item, *in_file.groups())
    match = re.fullmatch(r"(\w+)\s*(?:\((.*)\))?", item)
    if match is None:
        raise ZcbenchError(f'cannot read "{item}": write a name, or a name with parameters like swap(repeats=32)')
    name, arguments = match.groups()
    if name in groups():
        if arguments is not None:
            raise ZcbenchError(f"{name} is a group and has no parameters: give them to one of its metrics")
        return [metrics()[member] for member in groups()[name]]
    if name not in metrics():
        more = left_out(offers())
        if Path(f"{name}.py").is_file():
            more = f" There is a file of that name here: write {name}.py." + more
        raise ZcbenchError(str(unknown("metric", name, [*metrics(), *groups()])) + more)
    return [metrics()[name].with_parameters(**_parameters(item, arguments or ""))]


def _of_file(item: str, path: str, name: str | None, arguments: str | None) -> list[Metric]:
    found = metrics_in(Path(path).expanduser(), name)
    for metric in found:
        known = metrics().get(metric.name)
        if known is not None and not _same(known, metric):
            raise ZcbenchError(f"there is a metric called {metric.name} already: rename the one in {path}")
    return [metric.with_parameters(**_parameters(item, arguments or "")) for metric in found]


def _parameters(item: str, arguments: str) -> dict[str, ParameterValue]:
    values: dict[str, ParameterValue] = {}
    for argument in filter(None, (a.strip() for a in arguments.split(","))):
        key, _, number = (part.strip() for part in argument.partition("="))
        if key in values:
            raise ZcbenchError(f"{item} gives {key} twice")
        try:
            values[key] = int(number) if re.fullmatch(r"[+-]?\d+", number) else float(number)
        except ValueError as error:
            raise ZcbenchError(f'cannot read "{argument}" in {item}: write parameter=number') from error
    return values
