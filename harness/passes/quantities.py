"""How each recorded quantity is reduced inside its pass to a small sufficient statistic.

Everything stays on the device: no ``.item()``, no ``.cpu()``, no boolean mask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from zcbench.harness.metric import Undefined
from zcbench.harness.passes.native import common_ones
from zcbench.harness.passes.shortcuts import PerTensor
from zcbench.harness.passes.spec import (
    MAX_PATTERN_BITS,
    ActivationPatterns,
    BatchVariance,
    ChannelFisher,
    MultiplyAccumulates,
    PoolInput,
    Quantity,
    ReluGram,
)


class ReluGramRecorder:
    """Adds up the agreements of binary codes, layer by layer.

    With codes c of M zeros and ones, images i and j agree in M - |c_i| - |c_j| + 2 c_i · c_j places. All are integers,
    exact as long as a layer has no more than 2^24 values an image.
    """

    types = (nn.ReLU,)

    def __init__(self, quantity: ReluGram) -> None:
        self.quantity = quantity
        self._gram: Tensor | None = None
        self._of: PerTensor[Tensor] = PerTensor()

    def see(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Add one layer; ``output > 0`` is ``input > 0``, also where the layer works in place."""
        agreements = self._of.get(output)
        if agreements is None:
            agreements = self._agreements(output.detach())
            self._of.put(output, agreements)
        self._gram = agreements if self._gram is None else self._gram + agreements

    @staticmethod
    def _agreements(values: Tensor) -> Tensor:
        if values.dim() == 4:
            values = values.permute(0, 2, 3, 1)  # as it lies in memory; the order of the places does not matter
        values = values.flatten(1)  # [N, M]
        both = common_ones(values)
        each = both.diagonal()
        return both.mul(2).add_(values.shape[1]).sub_(each[:, None]).sub_(each)

    def value(self) -> Tensor:
        """Return K, float64 [N, N]."""
        if self._gram is None:
            raise Undefined("the network has no nn.ReLU layer")
        return self._gram


class ActivationPatternsRecorder:
    """Packs the S signs of every value behind a ReLU into one integer and counts the distinct ones."""

    types = (nn.ReLU,)

    def __init__(self, quantity: ActivationPatterns) -> None:
        self.quantity = quantity
        self._codes: list[Tensor] = []
        self._too_many = False

    def see(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Pack one layer; the authors' code looks at ReLUs with 4-D values only."""
        if output.dim() != 4:
            return
        signs = (output.detach() > 0).flatten(1)  # [S, V]
        if len(signs) > MAX_PATTERN_BITS:
            self._too_many = True  # raised by value(): here it would end a pass that other quantities share
            return
        dtype = torch.int32 if len(signs) < 32 else torch.int64
        code = torch.zeros_like(signs[0], dtype=dtype)
        for row in signs:
            code = code.mul_(2).add_(row)
        self._codes.append(code)

    def value(self) -> Tensor:
        """Return the number of distinct patterns, int64 []: sorted neighbours that differ, plus one."""
        if self._too_many:
            raise Undefined(f"patterns of more than {MAX_PATTERN_BITS} images do not fit an integer")
        if not self._codes:
            raise Undefined("the network has no nn.ReLU layer with 4-D values")
        codes = torch.cat(self._codes).sort().values
        return (codes[1:] != codes[:-1]).sum() + 1


class BatchVarianceRecorder:
    """Reads the variance of the batch off the running statistics, which start at zero in every pass."""

    types = (nn.BatchNorm2d,)

    def __init__(self, quantity: BatchVariance) -> None:
        self.quantity = quantity
        self._updated: dict[str, tuple[Tensor, float]] = {}
        self._why: str | None = None

    def see(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Keep what one update from zero left in ``running_var``: the variance times the momentum."""
        assert isinstance(module, nn.BatchNorm2d)
        if module.running_var is None:
            self._why = f"batch norm {name} keeps no running statistics"
        elif name in self._updated:
            self._why = f"batch norm {name} runs several times in one pass, which mixes its statistics"
        if self._why is not None or module.running_var is None:
            return
        momentum = 1.0 if module.momentum is None else module.momentum
        self._updated[name] = module.running_var.detach(), momentum

    def value(self) -> dict[str, Tensor]:
        """Return {name: float64 []}, empty for a network without BatchNorm2d."""
        if self._why is not None:
            raise Undefined(self._why)
        by_width: dict[int, list[str]] = {}
        for name, (variance, _) in self._updated.items():
            by_width.setdefault(len(variance), []).append(name)
        means: dict[str, Tensor] = {}
        for names in by_width.values():
            rows = torch.stack([self._updated[name][0] for name in names]).double()
            means.update(zip(names, rows.mean(1), strict=True))
        return {name: means[name] / momentum for name, (_, momentum) in self._updated.items()}


class PoolInputRecorder:
    """Keeps what enters the last global average pooling."""

    types = (nn.AdaptiveAvgPool2d,)

    def __init__(self, quantity: PoolInput) -> None:
        self.quantity = quantity
        self._features: Tensor | None = None

    def see(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Keep the input; later calls replace it."""
        self._features = inputs[0].detach()

    def value(self) -> Tensor:
        """Return the features, [N, c, h, w]."""
        if self._features is None:
            raise Undefined("the network has no nn.AdaptiveAvgPool2d before which to look")
        return self._features


class MultiplyAccumulatesRecorder:
    """Counts from shapes: one multiply-accumulate for every weight and output position.

    A transposed convolution meets each weight once for every position of its input.
    """

    types = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)

    def __init__(self, quantity: MultiplyAccumulates) -> None:
        self.quantity = quantity
        self._counts: dict[str, int] = {}

    def see(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Add one call of one layer."""
        assert isinstance(module, self.types)
        weight = module.weight
        assert isinstance(weight, Tensor)
        met = inputs[0] if isinstance(module, nn.ConvTranspose2d) else output
        count = met[0].numel() * weight[0].numel()
        if isinstance(module, nn.Linear) and module.bias is not None:
            count += output[0].numel()
        self._counts[name] = self._counts.get(name, 0) + count

    def value(self) -> dict[str, int]:
        """Return {name: multiply-accumulates for one image}."""
        return self._counts


class ChannelFisherRecorder:
    """Keeps outputs of Conv2d and Linear layers, and the edges of the graph at which to ask for gradients.

    No backward hook is needed: the gradient at an edge is what a full backward hook would see, also where
    a later layer works in place. There the value itself would be overwritten, so it is copied.
    """

    types = (nn.Conv2d, nn.Linear)

    def __init__(self, quantity: ChannelFisher, *, copy: bool) -> None:
        self.quantity = quantity
        self.edges: list[GradientEdge] = []
        self._copy = copy
        self._names: list[str] = []
        self._outputs: list[Tensor] = []
        self._versions: list[int] = []

    def see(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Keep one output and its edge."""
        if not output.requires_grad:
            return
        self.edges.append(get_gradient_edge(output))
        self._names.append(f"{name}.weight" if name else "weight")  # as in Parameters
        self._outputs.append(output.detach().clone() if self._copy else output.detach())
        self._versions.append(self._outputs[-1]._version)

    def reduce(self, gradients: Sequence[Tensor | None]) -> dict[str, Tensor]:
        """Return ½ mean_n (Σ_space a g)² a channel, float32 [c], summed over several calls of one layer."""
        fisher: dict[str, Tensor] = {}
        for name, output, version, gradient in zip(
            self._names, self._outputs, self._versions, gradients, strict=True
        ):
            if output._version != version:
                raise RuntimeError(f"the output of {name} was overwritten in place; build the network without")
            # A layer on a dead edge of the cell has no gradient: its Fisher information is 0.
            product = torch.zeros_like(output) if gradient is None else output * gradient.detach()
            if product.dim() > 2:
                product = product.sum(dim=tuple(range(2, product.dim())))  # [N, c]
            channels = product.square().mean(dim=0).div(2)  # [c]
            fisher[name] = fisher[name] + channels if name in fisher else channels
        return fisher


def row_correlation(rows: Tensor) -> Tensor:
    """Pearson correlation of rows, written out: ``torch.corrcoef`` needs the host.

    Args:
        rows: [N, d].

    Returns:
        float64 [N, N]; NaN where a row is constant.
    """
    centred = rows.double()
    centred = centred - centred.mean(dim=1, keepdim=True)
    covariance = centred @ centred.T
    deviation = covariance.diagonal().sqrt()
    return (covariance / deviation[:, None] / deviation[None, :]).clamp(-1, 1)


RECORDERS: dict[type[Quantity], Callable[[Any], Any]] = {
    ReluGram: ReluGramRecorder,
    ActivationPatterns: ActivationPatternsRecorder,
    BatchVariance: BatchVarianceRecorder,
    PoolInput: PoolInputRecorder,
    MultiplyAccumulates: MultiplyAccumulatesRecorder,
}
