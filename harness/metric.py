"""A metric: a pure function of quantities, with its name, version, citation and direction."""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.passes.spec import Need, Needs, Procedure, Quantity, Static

if TYPE_CHECKING:
    from torch import Tensor

    from zcbench.harness.metric_file import Source

ParameterValue = int | float
NeedOf = Need | Callable[..., Need]
"""A need, or a function of the metric's parameters that returns one."""


class Undefined(Exception):  # noqa: N818 - it is an outcome, not an error
    """Raised by a metric that has no value here, for a reason known without looking at numbers."""


class _Required:
    """Marks a parameter without a default."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()


@dataclass(frozen=True)
class Checked:
    """A value that is undefined where a condition holds, without asking the device for it now.

    Attributes:
        value: the score, [].
        conditions: pairs of a boolean tensor [] and the reason it stands for.
    """

    value: Tensor
    conditions: tuple[tuple[Tensor, str], ...]


def undefined_where(value: Tensor, *conditions: tuple[Tensor, str]) -> Checked:
    """Return a value that becomes ``undefined`` with the first reason whose condition is true."""
    return Checked(value, conditions)


@dataclass(frozen=True)
class Metric:
    """A training-free metric.

    Attributes:
        name: the paper's name in lower snake case.
        version: rises whenever a score changes.
        function: a pure function of the needs (and of the parameters that its signature names).
        cite: the citation.
        caveats: what a user must know before trusting the number.
        higher_is_better: whether a high score is meant to predict a high accuracy.
        parameters: parameter values, part of the metric's identity.
        defaults: the values that are not shown in the key.
        declared: needs as declared, by argument.
        bounds: smallest and largest value of parameters.
        source: the user's file that it was read from; None for a metric of an importable module.
    """

    name: str
    version: int
    function: Callable[..., Tensor | Checked]
    cite: str
    caveats: str
    higher_is_better: bool
    parameters: Mapping[str, ParameterValue | _Required]
    defaults: Mapping[str, ParameterValue | _Required]
    declared: Mapping[str, NeedOf]
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    source: Source | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by name: the module has the metric where the function's own name says, or the file has it."""
        if self.source is not None:
            return self.source.again, (dict(self.parameters),)
        return _from_module, (self.function.__module__, self.function.__qualname__, dict(self.parameters))

    @property
    def key(self) -> str:
        """The name, followed by the parameters that are not at their default, sorted: ``swap(repeats=32)``."""
        changed = {k: v for k, v in sorted(self.parameters.items()) if v != self.defaults[k]}
        return self.name + (f"({','.join(f'{k}={v}' for k, v in changed.items())})" if changed else "")

    @property
    def ours(self) -> bool:
        """Whether it comes with zcbench, and so has passed the contract tests."""
        return self.function.__module__.startswith("zcbench.")

    @property
    def needs(self) -> Needs:
        """What the function's arguments stand for, with this metric's parameters."""
        return Needs(tuple((name, self._need(need)) for name, need in self.declared.items()))

    @property
    def needs_pass(self) -> bool:
        """Whether a pass over data is needed; if so, the metric is undefined on a disconnected network."""
        return not all(isinstance(q, Static) for q in self.needs.quantities())

    @property
    def own_passes(self) -> str:
        """What it takes besides passes that others share, in words; empty where all its passes can be shared."""
        own = [str(q.passes) for q in self.needs.quantities() if isinstance(q, Procedure)]
        return "; ".join(dict.fromkeys(filter(None, own)))

    def _need(self, need: NeedOf) -> Need:
        if isinstance(need, Quantity | tuple):
            return need
        return need(**{k: self.parameters[k] for k in inspect.signature(need).parameters})

    def missing_parameters(self) -> tuple[str, ...]:
        """Names of required parameters that have no value yet."""
        return tuple(k for k, v in self.parameters.items() if isinstance(v, _Required))

    def with_parameters(self, **values: ParameterValue) -> Metric:
        """Return the same metric with other parameter values.

        Raises:
            ZcbenchError: for a parameter that it does not have, of another type, or a count of nothing.
        """
        return replace(self, parameters={**self.parameters, **{k: self._checked(k, v) for k, v in values.items()}})

    def _checked(self, name: str, value: ParameterValue) -> ParameterValue:
        """Return the value in its one type, so that 1 and 1.0 are one metric."""
        if name not in self.defaults:
            raise unknown(f"parameter of {self.name}", name, self.defaults)
        if not isinstance(self.defaults[name], int):
            value = float(value)
        elif not (isinstance(value, int) and value >= 1):
            raise ZcbenchError(f"parameter {name} of {self.name} is a whole number of 1 or more, not {value!r}")
        if not math.isfinite(value):
            raise ZcbenchError(f"parameter {name} of {self.name} is a finite number, not {value!r}")
        low, high = self.bounds.get(name, (-math.inf, math.inf))
        if not low <= value <= high:
            raise ZcbenchError(f"parameter {name} of {self.name} lies between {low:g} and {high:g}, not at {value!r}")
        return value

    def __call__(self, values: Mapping[Quantity, Any]) -> Tensor | Checked:
        """Compute the score from the values of its quantities.

        Args:
            values: a value for every quantity that the metric needs, or the reason why there is none.

        Raises:
            Undefined: where one of the quantities has no value.
        """
        for quantity in self.needs.quantities():
            if isinstance(values[quantity], Undefined):
                raise values[quantity]
        arguments: dict[str, Any] = {
            name: tuple(values[q] for q in need) if isinstance(need, tuple) else values[need]
            for name, need in self.needs.items
        }
        named = inspect.signature(self.function).parameters
        return self.function(**arguments, **{k: v for k, v in self.parameters.items() if k in named})


def _check_needs(name: str, needs: Mapping[str, object]) -> None:
    for argument, need in needs.items():
        parts = need if isinstance(need, tuple) else (need,)
        if any(isinstance(part, type) for part in parts):
            (part,) = (part for part in parts if isinstance(part, type))
            raise TypeError(f"metric {name}: {argument} is declared as {part.__name__}, write {part.__name__}()")
        if not parts or not all(isinstance(part, Quantity) or callable(part) for part in parts):
            raise TypeError(f"metric {name}: {argument} must be declared as a quantity, not {need!r}")


def _from_module(module: str, name: str, parameters: dict[str, ParameterValue | _Required]) -> Metric:
    found = getattr(importlib.import_module(module), name)
    if not isinstance(found, Metric):
        raise TypeError(f"{module}.{name} is no metric")
    return replace(found, parameters=parameters)


def metric(
    name: str,
    *,
    version: int,
    cite: str,
    caveats: str,
    higher_is_better: bool,
    parameters: Mapping[str, ParameterValue | _Required] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    **needs: NeedOf,
) -> Callable[[Callable[..., Tensor | Checked]], Metric]:
    """Turn a pure function of quantities into a metric.

    The remaining keyword arguments declare, for every argument of the function, the quantity it stands
    for, or a function of the metric's parameters that returns it. The declaration is checked against
    the signature here, when the file is imported.

    Args:
        name: the paper's name in lower snake case.
        version: an integer that rises whenever a score changes.
        cite: the citation.
        caveats: what a user must know before trusting the number.
        higher_is_better: whether a high score is meant to predict a high accuracy.
        parameters: names and default values; ``REQUIRED`` for one without a default, which is a float.
        bounds: smallest and largest value of parameters.
        **needs: argument name to need.
    """
    values = dict(parameters or {})

    def decorate(function: Callable[..., Tensor | Checked]) -> Metric:
        wanted = set(inspect.signature(function).parameters)
        if wanted - set(values) != set(needs):
            raise TypeError(
                f"metric {name}: the function takes {sorted(wanted)}, but needs are declared for {sorted(needs)}"
            )
        _check_needs(name, needs)
        return Metric(
            name=name, version=version, function=function, cite=cite, caveats=caveats,
            higher_is_better=higher_is_better, parameters=values, defaults=dict(values), declared=needs,
            bounds=dict(bounds or {}),
        )

    return decorate
