"""What a metric may leave behind: changes of a network, a mini-batch, and values that others share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor, nn

from zcbench.harness.checking.subjects import Subject
from zcbench.harness.checking.trial import Trial
from zcbench.harness.metric import Undefined
from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.run import MiniBatch
from zcbench.harness.settings import kept

Print = dict[str, Any]
"""What was seen, by what it is in words that continue "it changed"."""


def print_of(network: nn.Module, batch: MiniBatch) -> Print:
    """Return copies of everything that a metric could change."""
    seen: Print = {"the modules of the network": [(n, type(m), id(m)) for n, m in network.named_modules()]}
    for name, parameter in network.named_parameters():
        seen[f"the weights {name}"] = _tensor(parameter)
        seen[f"the gradient of {name}"] = None if parameter.grad is None else _tensor(parameter.grad)
        seen[f"whether {name} requires a gradient"] = parameter.requires_grad
    seen |= {f"the buffer {name}": _tensor(buffer) for name, buffer in network.named_buffers()}
    for name, module in network.named_modules():
        where = name or "the network itself"
        seen[f"the training flag of {where}"] = module.training
        seen[f"the attributes of {where}"] = sorted(k for k in vars(module) if not k.startswith("_"))
        seen[f"the hooks of {where}"] = {k: len(v) for k, v in vars(module).items() if k.endswith("_hooks")}
    seen |= {"the images": _tensor(batch.inputs), "the labels": _tensor(batch.targets)}
    for number, (inputs, targets) in enumerate(batch.further, 1):
        seen |= {f"the images of mini-batch {number + 1}": _tensor(inputs)}
        seen |= {f"the labels of mini-batch {number + 1}": _tensor(targets)}
    return seen


def _tensor(tensor: Tensor) -> tuple[int, int, Tensor]:
    """Return identity, number of writes, and a copy: a write that was undone is still a write."""
    return id(tensor), tensor._version, tensor.detach().clone()


def differences(before: Print, after: Print) -> list[str]:
    """Name what is not as it was, the weights first."""
    return [name for name in {**before, **after} if not _same(before.get(name), after.get(name))]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple) and len(one) == 3 and isinstance(one[2], Tensor):
        return isinstance(other, tuple) and one[:2] == other[:2] and _equal(one[2], other[2])
    return bool(one == other)


def _equal(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return bool(((one == other) | (one.isnan() & other.isnan())).all()) if one.is_floating_point() else one.equal(other)


def function_leaves(trial: Trial, subject: Subject) -> list[str]:
    """Name the values of quantities that the metric's own function changed, which other metrics share."""
    needed = plan(trial.metric.needs.quantities())
    try:
        with kept():
            found = evaluate(subject.network(), trial.batch(), needed, key=subject.key(), origin=subject.origin())
            before = {name: _tensor(tensor) for name, tensor in _tensors(found.values)}
            trial.metric(found.values)
    except Exception:  # what it raises is another contract's matter
        return []
    return differences(before, {name: _tensor(tensor) for name, tensor in _tensors(found.values)})


def _tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Give all tensors within the values of quantities, with their names."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            named = f"the value of {type(key).__name__}" if not isinstance(key, str | int) else f"{name}[{key!r}]"
            yield from _tensors(inner, named)
    elif isinstance(value, tuple | list):
        for number, inner in enumerate(value):
            yield from _tensors(inner, f"{name}[{number}]")
    elif is_dataclass(value) and not isinstance(value, type | Undefined):
        for field in fields(value):
            yield from _tensors(getattr(value, field.name), f"{name}.{field.name}")
