"""Scores of single operations, read off the untrained supernet of a search space by derivatives of its alpha.

A score of this kind belongs to an operation on an edge, not to an architecture. A process computes it once for a
mini-batch and an initialisation, whatever the number of architectures; an architecture only says which of them it
chooses.

Symbols: E edges and O candidate operations in the supernet, alpha [E, O] its weights, all of them 1/O; k edges that
an architecture chooses an operation for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zcbench.harness.device import pinned
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.metric import Undefined
from zcbench.harness.passes.run import MiniBatch, Origin, Run
from zcbench.harness.passes.spec import Dtype, Forward, Inputs, Norm, Passes, Procedure, Weights
from zcbench.harness.passes.state import mode
from zcbench.harness.timing import Clock

if TYPE_CHECKING:
    from zcbench.harness.supernet import Supernet

LOSS = Forward(dtype=Dtype.FLOAT64)
"""The mini-batch through the initial weights, norms with the statistics of the batch."""

FLOW = Forward(Inputs.ONES, Weights.ABSOLUTE, Norm.OFF, Dtype.FLOAT64)
"""One image of ones through absolute weights, without norms: every term of the output is positive."""

NORMED_FLOW = Forward(Inputs.ONES, Weights.ABSOLUTE, Norm.BATCH, Dtype.FLOAT64)
"""The same with norms, as the released code of FreeDARTS runs it."""

ONCE = "on the supernet, once for each worker"
"""Where passes run whose result serves every architecture: a process keeps it, and has none of another's."""

ROUNDING = 1e-10
"""Part of the output below which a derivative in float64 is regarded as rounding."""


@dataclass(frozen=True)
class OperationScores:
    """A score for every operation on every edge of a supernet.

    Attributes:
        edges: names of the edges, E.
        operations: names of the operations, O.
        values: float64 [E, O]; higher is better.
        conditions: pairs of a boolean tensor [E, O] and the reason why these have no score.
    """

    edges: tuple[str, ...]
    operations: tuple[str, ...]
    values: Tensor
    conditions: tuple[tuple[Tensor, str], ...] = ()


@dataclass(frozen=True)
class ChosenOperations:
    """The part of `OperationScores` that an architecture decides on.

    Attributes:
        values: float64 [k, O], the scores of all operations on the edges that it chooses one for.
        places: its choice on each of them, k numbers of operations.
        conditions: pairs of a boolean tensor [k, O] and a reason, as there.
    """

    values: Tensor
    places: tuple[int, ...]
    conditions: tuple[tuple[Tensor, str], ...] = ()

    @property
    def scores(self) -> Tensor:
        """The scores of the chosen operations, float64 [k]."""
        return self.of_chosen(self.values)

    def of_chosen(self, table: Tensor) -> Tensor:
        """Return the entries of the chosen operations of a table [k, O], [k]."""
        return torch.stack([row[place] for row, place in zip(table, self.places, strict=True)])


def supernet_run(run: Run) -> Run:
    """Return a run on the supernet of the space that the network comes from, which is built once.

    Its weights come from the recipe's initialisation, drawn with a key that does not know the architecture, so that
    they are the same for all.

    Raises:
        Undefined: for a network that comes from nowhere, or a space without a supernet.
    """
    if run.origin is None:
        raise Undefined("needs the search space of the network, whose supernet holds all operations")
    network = run.origin.remember("supernet", lambda: build_supernet(run.origin, run.batch))
    key = (*run.origin.key, "supernet")
    return Run(network, run.batch, key, run.clock, origin=run.origin)


def build_supernet(origin: Origin | None, batch: MiniBatch) -> Supernet:
    """Build and initialise the supernet, on the device of the mini-batch."""
    assert origin is not None
    try:
        network = origin.space.supernet(origin.classes)
    except ZcbenchError as error:
        raise Undefined(str(error)) from error
    origin.initialised(network, "supernet")
    device = batch.inputs.device
    return pinned(network, device).to(device, non_blocking=True)


def bare_run(origin: Origin, batch: MiniBatch) -> Run:
    """Return a run on the supernet, for scores of operations without any architecture."""
    network = build_supernet(origin, batch)
    key = (*origin.key, "supernet")
    return Run(network, batch, key, Clock(batch.inputs.device), origin=origin)


def chosen_of(run: Run, table: OperationScores) -> ChosenOperations:
    """Return the scores on the edges that the architecture decides on."""
    assert run.origin is not None
    pairs = run.origin.space.operations(run.origin.architecture)
    rows = [table.edges.index(edge) for edge, _ in pairs]
    return ChosenOperations(
        torch.stack([table.values[row] for row in rows]),
        tuple(table.operations.index(operation) for _, operation in pairs),
        tuple((torch.stack([held[row] for row in rows]), reason) for held, reason in table.conditions),
    )


@dataclass(frozen=True)
class AlphaDerivatives:
    """A scalar of the supernet's output and its derivatives by alpha.

    Attributes:
        value: the scalar, [].
        alpha: float64 [E, O].
        gradient: g = d value / d alpha, [E, O].
        product: H g with the Hessian H by alpha, g being held constant, [E, O]; None where nobody asked for it.
    """

    value: Tensor
    alpha: Tensor
    gradient: Tensor
    product: Tensor | None


def alpha_derivatives(
    run: Run, forward: Forward, target: Callable[[Tensor], Tensor], *, hessian: bool
) -> AlphaDerivatives:
    """Differentiate a scalar of the supernet's output by alpha.

    Args:
        run: a run on a supernet.
        forward: what is fed through which weights.
        target: logits [N, C] to the scalar [].
        hessian: whether to compute H g as well.
    """
    network = run.network
    inputs = run.inputs(forward)
    reference = network.alpha
    assert isinstance(reference, Tensor)
    alpha = torch.full_like(reference, 1 / reference.shape[1], dtype=inputs.dtype).requires_grad_()
    weights = run.weights(forward.weights, forward.dtype, forward.draw)
    with mode(network, train=True):
        scalar = target(run.call({**weights, "alpha": alpha}, inputs, forward.norm))
    (gradient,) = torch.autograd.grad(scalar, [alpha], create_graph=hessian)
    if not hessian:
        return AlphaDerivatives(scalar.detach(), alpha.detach(), gradient, None)
    (product,) = torch.autograd.grad((gradient.detach() * gradient).sum(), [alpha])
    return AlphaDerivatives(scalar.detach(), alpha.detach(), gradient.detach(), product)


def _table(run: Run, values: Tensor, *conditions: tuple[Tensor, str]) -> OperationScores:
    network = run.network
    edges, operations = network.edges, network.operations
    assert isinstance(edges, tuple)
    assert isinstance(operations, tuple)
    return OperationScores(edges, operations, values, conditions)


def snip_scores(run: Run, forward: Forward = LOSS) -> OperationScores:
    """Return |alpha dL/dalpha| of the task's loss L on the images; `run` is on a supernet."""
    found = alpha_derivatives(run, forward, run.loss, hessian=False)
    return _table(run, (found.alpha * found.gradient).abs())


def grasp_scores(run: Run, forward: Forward = LOSS) -> OperationScores:
    """Return alpha (H g) with g = dL/dalpha and the Hessian H of L by alpha, signs kept; `run` is on a supernet.

    The graph of both derivatives is kept until the end, so memory grows with the number of images.
    """
    found = alpha_derivatives(run, forward, run.loss, hessian=True)
    assert found.product is not None
    return _table(run, found.alpha * found.product)


def flow_scores(run: Run, forward: Forward = FLOW) -> OperationScores:
    """Return |alpha dR/dalpha| of the sum R of the logits; `run` is on a supernet.

    With norms that look at the one image, R may not depend on alpha at all; what is left then is rounding.
    """
    found = alpha_derivatives(run, forward, torch.sum, hessian=False)
    values = (found.alpha * found.gradient).abs()
    rounding = values.amax() <= ROUNDING * found.value.abs()
    return _table(run, values, (rounding.expand(values.shape), "the output does not depend on alpha: all is rounding"))


@dataclass(frozen=True)
class OperationSensitivity(Procedure):
    """Scores of the operations that an architecture chooses: `ChosenOperations`.

    Attributes:
        kind: ``snip``, ``grasp``, ``synflow`` or ``synflow_bn``.
        samples: only the first so many images of the mini-batch; None for all.
    """

    kind: str
    samples: int | None = None

    @property
    def passes(self) -> Passes:
        """One forward and one backward, for the Hessian two, on the supernet."""
        return Passes(1, 2 if self.kind == "grasp" else 1, ONCE)

    def compute(self, run: Run) -> ChosenOperations:
        """Return the scores, computed once for all architectures that a process measures."""
        on_supernet = supernet_run(run)
        assert run.origin is not None
        return chosen_of(run, run.origin.remember(self, lambda: self.scores(on_supernet)))

    def scores(self, run: Run) -> OperationScores:
        """Compute the scores of all operations on all edges; `run` is on a supernet.

        Raises:
            Undefined: if the mini-batch has fewer images.
        """
        compute, forward = SENSITIVITIES[self.kind]
        return compute(run, replace(forward, samples=self.samples))


SENSITIVITIES: dict[str, tuple[Callable[[Run, Forward], OperationScores], Forward]] = {
    "snip": (snip_scores, LOSS),
    "grasp": (grasp_scores, LOSS),
    "synflow": (flow_scores, FLOW),
    "synflow_bn": (flow_scores, NORMED_FLOW),
}
"""The scores of FreeDARTS by kind: what makes a table of a run on a supernet, and from which forward."""
