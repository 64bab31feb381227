"""From needs to the fewest passes: forward > target > quantities. Pure data; imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from zcbench.harness.passes.spec import (
    Differentiated,
    Forward,
    HessianGradient,
    Inputs,
    MultiplyAccumulates,
    Procedure,
    Quantity,
    Recorded,
    Static,
    Target,
    WeightHessianGradient,
)

HESSIAN = (HessianGradient, WeightHessianGradient)
"""Second derivatives."""


@dataclass(frozen=True)
class Backward:
    """One backward pass from one target of one forward.

    Attributes:
        target: the scalar that is differentiated.
        quantities: what is read off this pass.
        hessian: whether a Hessian-vector product follows, a second backward through the graph of the gradient.
    """

    target: Target
    quantities: tuple[Differentiated, ...]
    hessian: bool

    @property
    def count(self) -> int:
        """Backward passes: the gradient, and one more for the Hessian-vector product."""
        return 2 if self.hessian else 1

    @property
    def carried(self) -> bool:
        """Whether derivatives along two directions are carried forwards afterwards."""
        return any(isinstance(q, WeightHessianGradient) for q in self.quantities)


@dataclass(frozen=True)
class Pass:
    """One forward pass with everything that is recorded on it and differentiated from it."""

    forward: Forward
    recorded: tuple[Recorded | MultiplyAccumulates, ...]
    backwards: tuple[Backward, ...]

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Everything this pass provides."""
        return (*self.recorded, *(q for b in self.backwards for q in b.quantities))


@dataclass(frozen=True)
class Plan:
    """The passes for a set of quantities, each forward and each target once.

    Attributes:
        passes: forward passes in a fixed order that does not depend on the order of the needs.
        static: quantities that need no pass.
        procedures: quantities with passes of their own.
    """

    passes: tuple[Pass, ...]
    static: tuple[Quantity, ...]
    procedures: tuple[Procedure, ...] = ()

    @property
    def totals(self) -> dict[str, int]:
        """Number of forward and backward passes; a Hessian-vector product counts as one backward.

        What a procedure takes for every image or operation is not in it, nor are derivatives that are carried
        forwards: the plan says that in words.
        """
        own = [p.passes for p in self.procedures]
        return {
            "forwards": len(self.passes) + sum(p.forwards for p in own),
            "backwards": sum(b.count for p in self.passes for b in p.backwards) + sum(p.backwards for p in own),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain data for ``zcbench plan --json``."""
        return {
            "totals": self.totals,
            "passes": [
                {
                    "forward": str(p.forward),
                    "recorded": [type(q).__name__ for q in p.recorded],
                    "backwards": [
                        {
                            "target": str(b.target),
                            "quantities": [type(q).__name__ for q in b.quantities],
                            "hessian_vector_product": b.hessian,
                            "derivatives_carried_forwards": b.carried,
                        }
                        for b in p.backwards
                    ],
                }
                for p in self.passes
            ],
            "procedures": [
                {
                    "quantity": type(q).__name__, "forwards": q.passes.forwards,
                    "backwards": q.passes.backwards, "besides": q.passes.words,
                }
                for q in self.procedures
            ],
            "static": [type(q).__name__ for q in self.static],
        }


def plan(quantities: Iterable[Quantity]) -> Plan:
    """Group quantities into passes.

    Args:
        quantities: what the metrics need; equal ones are computed once.
    """
    needed = sorted(set(quantities), key=repr)
    forwards = sorted(
        {q.forward for q in needed if isinstance(q, Recorded | Differentiated | MultiplyAccumulates)}, key=repr
    )
    host = next(filter(_hosts, forwards), None)
    if host is not None:
        forwards = [f for f in forwards if f.inputs is not Inputs.SHAPE]
    return Plan(
        passes=tuple(_one_pass(f, needed, also_shapes=f == host) for f in forwards),
        static=tuple(q for q in needed if isinstance(q, Static) and not isinstance(q, MultiplyAccumulates)),
        procedures=tuple(q for q in needed if isinstance(q, Procedure)),
    )


def _hosts(forward: Forward) -> bool:
    """Whether shapes can be read off a forward, so that they need none of their own: one that always has a value."""
    size_of_images = forward.size is None and forward.inputs is not Inputs.SHAPE
    return size_of_images and forward.samples is None and forward.batch == 0


def _one_pass(forward: Forward, needed: list[Quantity], *, also_shapes: bool) -> Pass:
    recorded = tuple(
        q
        for q in needed
        if isinstance(q, Recorded | MultiplyAccumulates)
        and (q.forward == forward or (also_shapes and q.forward.inputs is Inputs.SHAPE))
    )
    differentiated = [q for q in needed if isinstance(q, Differentiated) and q.forward == forward]
    backwards = []
    for target in sorted({q.target for q in differentiated}):
        of_target = tuple(q for q in differentiated if q.target == target)
        backwards.append(Backward(target, of_target, any(isinstance(q, HessianGradient) for q in of_target)))
    # The graph of a Hessian-vector product is the largest: it comes last, when nothing else is kept alive.
    backwards.sort(key=lambda b: b.hessian)
    return Pass(forward, recorded, tuple(backwards))
