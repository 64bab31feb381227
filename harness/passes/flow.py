"""Synaptic flow through norms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from zcbench.harness.passes.image_gradients import LayerRecorder
from zcbench.harness.passes.run import Run
from zcbench.harness.passes.single import open_single
from zcbench.harness.passes.spec import Dtype, Forward, Inputs, Norm, Passes, Procedure, Weights

FORWARD = Forward(inputs=Inputs.ONES, weights=Weights.ABSOLUTE, norm=Norm.BATCH, dtype=Dtype.FLOAT64)


class Flows(NamedTuple):
    """What flows through a network; all float64.

    Attributes:
        layers: Σ |w · ∂R/∂w| of every Conv2d and Linear layer, {name: []}.
        arriving: the same of the last layer that R depends on, which is the classifier, divided by its Σ |w|: the
            size of the features that reach it. [], zero where R depends on no layer.
    """

    layers: dict[str, Tensor]
    arriving: Tensor


@dataclass(frozen=True)
class NormedFlow(Procedure):
    """Flow Σ |w · ∂R/∂w| of every Conv2d and Linear layer, where batch norm stays.

    R is the sum of the logits for one image of ones and absolute weights; norms have the statistics of that image.
    """

    @property
    def passes(self) -> Passes:
        """One forward and one backward of one image."""
        return Passes(forwards=1, backwards=1)

    def compute(self, run: Run) -> Flows:
        """Return the flows.

        Raises:
            Undefined: where a batch norm gets a single value for a channel.
        """
        recorder = LayerRecorder(self)
        opened = open_single(run, FORWARD, of_weights=run.weighted(), recorders=[recorder])
        weights = [opened.parameters[name] for name in run.names]
        gradients = torch.autograd.grad(opened.logits.sum(), weights, allow_unused=True)
        flows, by_weight = {}, {}
        for name, weight, gradient in zip(run.names, weights, gradients, strict=True):
            size = weight.detach().abs()
            flows[name] = size.new_zeros(()) if gradient is None else (size * gradient).abs().sum()
            if gradient is not None:
                by_weight[id(weight)] = flows[name], size.sum()
        last = next((by_weight[id(c.weight)] for c in reversed(recorder.calls) if id(c.weight) in by_weight), None)
        if last is None:
            return Flows(flows, opened.logits.new_zeros(()))
        flow, size = last
        return Flows(flows, torch.where(size > 0, flow / size, torch.zeros_like(flow)))
