"""Metrics that a user keeps in a file: decorated with ``@metric``, or a plain function of network, inputs, targets."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from zcbench.harness.errors import ZcbenchError, did_you_mean
from zcbench.harness.metric import Metric
from zcbench.harness.passes.on_copy import OnCopy
from zcbench.harness.source_file import code_digest, module_of

ARGUMENTS = ("network", "inputs", "targets")
"""What a plain function takes; in a file that names no metric, functions are recognised by these names."""

PLAIN = "A plain function, run on a copy of the network of its own: it shares no pass with other metrics."


@dataclass(frozen=True)
class Source:
    """Where a metric from a file comes from.

    Attributes:
        path: the file, absolute.
        name: the name of metric or function in it.
        digest: of its code, see ``source_file.code_digest``.
    """

    path: Path
    name: str
    digest: str

    def again(self, parameters: Mapping[str, Any]) -> Metric:
        """Load the metric in another process.

        Raises:
            ZcbenchError: if the file was changed in the meantime.
        """
        (found,) = metrics_in(self.path, self.name)
        if found.source != self:
            raise ZcbenchError(f"{self.path} was changed while its metric was being computed: run again")
        return replace(found, parameters=parameters)


def from_function(function: Callable[..., Any]) -> Metric:
    """Return the metric of a plain function ``f(network, inputs, targets) -> float``; also used as a decorator.

    The function is called by position, on copies, see ``passes.on_copy.OnCopy``. It may say more about itself in
    attributes: ``version`` (1), ``higher_is_better`` (True), ``cite`` and ``caveats``.

    Args:
        function: takes a network in training mode, inputs [N, c, h, w] and classes int64 [N]; returns one number.

    Raises:
        ZcbenchError: for a function that takes something else, or an attribute of another type.
    """
    name = function.__name__
    _check_signature(function)

    def value(returned: Any) -> Any:
        return returned

    value.__module__, value.__qualname__ = function.__module__, function.__qualname__
    return Metric(
        name=name, version=_said(function, "version", 1), function=value,
        cite=_said(function, "cite", f"the function {name}"), caveats=_said(function, "caveats", PLAIN),
        higher_is_better=_said(function, "higher_is_better", True),
        parameters={}, defaults={}, declared={"returned": OnCopy(name=name, function=function)},
    )  # fmt: skip


T = TypeVar("T", int, bool, str)


def _said(function: Callable[..., Any], attribute: str, otherwise: T) -> T:
    """Return an attribute of a function, of exactly the type that it should have."""
    found = getattr(function, attribute, otherwise)
    if type(found) is type(otherwise) and (type(found) is not int or found >= 1):
        return found
    wanted = {int: "a whole number of 1 or more", bool: "True or False", str: "a text"}[type(otherwise)]
    raise ZcbenchError(f"{function.__name__}.{attribute} must be {wanted}, not {found!r:.60}")


def _check_signature(function: Callable[..., Any]) -> None:
    """Refuse a function that cannot be called with network, inputs and targets alone."""
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise ZcbenchError(f"{function.__name__} must return a number when it is called: leave out async and yield")
    try:
        inspect.signature(function).bind(None, None, None)
    except TypeError as error:
        raise ZcbenchError(f"{function.__name__} must take network, inputs and targets: {error}") from error


def metrics_in(path: Path, name: str | None = None, *, required: bool = True) -> list[Metric]:
    """Return the metrics of a file, or the one of this name in it.

    Args:
        path: a Python file.
        name: name of a metric, or of a variable or function in the file; None for all metrics, and where there is
            none, for all public functions that take ``network, inputs, targets``.
        required: whether there has to be one.

    Raises:
        MissingFileError: if there is no such file.
        ZcbenchError: if it cannot be imported, or has no such metric.
    """
    module, digest = module_of(path), code_digest(path)
    path = path.resolve()
    own = {k: v for k, v in vars(module).items() if _module(v) == module.__name__}
    found = {k: v for k, v in own.items() if isinstance(v, Metric)}
    functions = {k: v for k, v in own.items() if inspect.isfunction(v) and not k.startswith("_")}
    plain = {k: f for k, f in functions.items() if tuple(inspect.signature(f).parameters)[:3] == ARGUMENTS}
    if name is not None:
        by_name: dict[str, Any] = {**functions, **found, **{v.name: v for v in found.values()}}
        if name not in by_name:
            raise ZcbenchError(f'{path} has no metric "{name}".{did_you_mean(name, {**plain, **found})}')
        chosen: dict[str, Any] = {next((k for k, v in found.items() if v is by_name[name]), name): by_name[name]}
    else:
        chosen = {**found} or {**plain}
    if not chosen and required:
        raise ZcbenchError(
            f"{path} has no metric: decorate a function with @metric, or define one as "
            "def my_metric(network, inputs, targets) -> float"
        )
    return [
        replace(v if isinstance(v, Metric) else from_function(v), source=Source(path, k, digest))
        for k, v in chosen.items()
    ]


def _module(value: object) -> str | None:
    """Return the module that defines a metric or a function."""
    if isinstance(value, Metric):
        return value.function.__module__
    return value.__module__ if inspect.isfunction(value) else None


def digest_of(metric: Metric) -> str:
    """Return the digest of the code of a metric that does not come with zcbench; empty for one that does."""
    if metric.source is not None:
        return metric.source.digest
    if metric.ours:
        return ""
    try:
        file = inspect.getsourcefile(inspect.getmodule(metric.function) or metric.function)
        return "" if file is None else code_digest(Path(file))
    except (TypeError, OSError, ZcbenchError):
        return ""


