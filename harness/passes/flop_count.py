"""How many floating-point operations the passes of a plan take: counted on the meta device, without doing any.

Two for every multiply-accumulate of a convolution or matrix product, by the formulas of
``torch.utils.flop_counter``. Its own ``FlopCounterMode`` is not used: it hooks into every module, with these hooks
gradients with respect to images and to edges of the graph raise, and it does not tell types apart.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.plan import Plan, plan
from zcbench.harness.passes.run import MiniBatch, Origin
from zcbench.harness.passes.spec import Forward, Inputs, Procedure, Quantity


class TooLongError(Exception):
    """Counting has taken longer than it may."""


class UncountedError(Exception):
    """A quantity cannot be computed without numbers; the message says why.

    Attributes:
        quantity: the quantity.
    """

    def __init__(self, quantity: Quantity, why: str) -> None:
        super().__init__(why)
        self.quantity = quantity


_PRODUCTS = (torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__, torch.div, Tensor.div, Tensor.__truediv__)


class FactorsAreTensors(TorchFunctionMode):
    """While active, a tensor is multiplied by, or divided by, a tensor where it would be by a Python number.

    PyTorch (2.13 at least) stops with an internal error where a zero tangent of forward-mode differentiation meets a
    Python number under a dispatch mode, as in the ``none`` of NAS-Bench-201, ``x.mul(0.0)``.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Replace the number and pass on everything else."""
        if func in _PRODUCTS and len(args) == 2 and isinstance(args[0], Tensor) and args[0].is_floating_point():
            factor = args[1]
            if type(factor) in (int, float):
                args = (args[0], torch.full((), factor, dtype=args[0].dtype, device=args[0].device))
        return func(*args, **(kwargs or {}))

_COUNTED_AS = {torch.ops.aten._int_mm: torch.ops.aten.mm}
"""A product of bytes is counted as the one of float32 for which it stands, see `common_ones`."""


class FlopCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the operations of what runs inside, by type.

    Attributes:
        flops: operations by ``float32``, ``float64``, ...
    """

    def __init__(self, deadline: float = math.inf) -> None:
        """Begin at zero.

        Args:
            deadline: time of ``time.process_time`` after which no further operation is let through.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops: Counter[str] = Counter()
        self._deadline = deadline
        self._shapes: dict[Any, tuple[tuple[Any, ...], ...]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Let an operation through and count it."""
        if time.process_time() > self._deadline:
            raise TooLongError
        kwargs = kwargs or {}
        packet = func._overloadpacket
        formula: Callable[..., int] | None = flop_registry.get(_COUNTED_AS.get(packet, packet))
        if formula is None and torch.is_inference_mode_enabled():
            with self:  # only there operations arrive whole that are made of others
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        out = self._run(func, args, kwargs)
        if formula is not None:
            first = next(arg for arg in args if isinstance(arg, Tensor))
            dtype = first.dtype if first.is_floating_point() else torch.float32
            self.flops[str(dtype).removeprefix("torch.")] += formula(*args, **kwargs, out_val=out)
        return out

    def _run(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run an operation, or make results like those that it gave for inputs of the same shapes.

        The shape rules are Python code of torch, and take most of the time; networks repeat the same few layers.
        """
        key = _shape_key(func, args, kwargs)
        if key is None:
            return func(*args, **kwargs)
        if key in self._shapes:
            known = [torch.empty_strided(*shape, dtype=dtype, device="meta") for *shape, dtype in self._shapes[key]]
            return known[0] if len(known) == 1 else tuple(known)
        out = func(*args, **kwargs)
        results = out if type(out) is tuple else (out,)
        if all(type(one) is Tensor and one.is_meta for one in results) and len(results) == len(func._schema.returns):
            self._shapes[key] = tuple((tuple(one.shape), one.stride(), one.dtype) for one in results)
        return out


def _shape_key(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return what the shapes of an operation's results depend on; None where its results are not its own, or new."""
    schema = func._schema
    if schema.is_mutable or any(one.alias_info is not None for one in schema.returns):
        return None
    try:
        key = (func, *map(_shape, args), *((name, _shape(value)) for name, value in kwargs.items()))
        hash(key)
    except TypeError:
        return None
    return key


def _shape(value: Any) -> Any:
    if isinstance(value, Tensor):
        if not value.is_meta:
            raise TypeError("has values")
        return (tuple(value.shape), value.stride(), value.dtype)
    return (type(value), tuple(map(_shape, value)) if isinstance(value, list | tuple) else value)


def count(
    network: nn.Module, batch: MiniBatch, shared: Plan, *, key: tuple[Hashable, ...], origin: Origin | None = None,
    seconds: float = math.inf, device: str = "cpu",
) -> dict[str, int]:
    """Count what the passes of a plan take, by type.

    A pass that differs from another in the number of its random draw alone is not run again. What all
    architectures share is left out: it is computed before.

    Args:
        network: on the meta device.
        batch: the mini-batch, on the meta device.
        shared: the plan.
        key: what random draws are seeded with.
        origin: where the network comes from.
        seconds: how long counting may take, of the processor's time.
        device: the type of the device whose passes are counted.

    Raises:
        TooLongError: if it takes longer.
        UncountedError: if a quantity cannot be computed without numbers.
    """
    counter = FlopCounter(time.process_time() + seconds)
    batch = replace(batch, stands_for=device)
    total: Counter[str] = Counter()
    for quantities, times in _distinct(shared).items():
        before = None if origin is None else len(origin.shared)
        flops = _count_one(counter, network, batch, quantities, key, origin)
        if origin is not None and len(origin.shared) != before:
            flops = _count_one(counter, network, batch, quantities, key, origin)
        for dtype, number in flops.items():
            total[dtype] += times * number
    return dict(sorted(total.items()))


def _count_one(
    counter: FlopCounter, network: nn.Module, batch: MiniBatch, quantities: frozenset[Quantity],
    key: tuple[Hashable, ...], origin: Origin | None,
) -> Counter[str]:
    before = counter.flops.copy()
    try:
        with counter, FactorsAreTensors():
            evaluate(network, batch, plan(quantities), key=key, origin=origin)
    except TooLongError:
        raise
    except Exception as error:  # of somebody else's quantity, perhaps: it looks at values
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UncountedError(min(quantities, key=repr), why) from error
    return counter.flops - before


def _distinct(shared: Plan) -> Counter[frozenset[Quantity]]:
    """Return the quantities of every pass that computes, and how often there is one like it."""
    passes = [
        frozenset(map(_without_draw, one.quantities)) for one in shared.passes if one.forward.inputs is not Inputs.SHAPE
    ]
    return Counter([*passes, *(frozenset[Quantity]({one}) for one in shared.procedures)])


def _without_draw(quantity: Quantity) -> Quantity:
    forward = getattr(quantity, "forward", None)
    if isinstance(quantity, Procedure) or not isinstance(forward, Forward):
        return quantity
    return replace(quantity, **{"forward": replace(forward, draw=0)})
