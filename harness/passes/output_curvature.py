"""How strongly the output bends while the input moves along a circle."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zcbench.harness.passes.feature_conditions import single_image
from zcbench.harness.passes.run import Run
from zcbench.harness.passes.spec import Dtype, Norm, Passes, Procedure, Weights
from zcbench.harness.passes.state import like_images, resolve


@dataclass(frozen=True)
class OutputCurvature(Procedure):
    """Extrinsic curvature κ = |v|⁻³ √(|v|² |a|² − (v · a)²) of the output at one point of a circle: float64 [].

    v and a are the first and second derivative of f(cos t · e_1 + sin t · e_2) by t at t = 0, the plane (e_1, e_2)
    drawn at random and orthonormal, batch norm in training mode on that one image. NaN where v is 0.

    Attributes:
        size: height and width of the input.
    """

    size: int = 64

    @property
    def passes(self) -> Passes:
        """No loop over classes: v and a are the derivatives of w · v and w · a by w, and do not depend on w."""
        return Passes(forwards=1, backwards=4)

    def compute(self, run: Run) -> Tensor:
        """Return κ.

        Raises:
            Undefined: where batch norm cannot normalise what one image leaves it.
        """
        dtype = resolve(Dtype.RECIPE, run.batch.inputs.dtype)
        parameters = {name: p.detach() for name, p in run.weights(Weights.INITIAL, Dtype.RECIPE, 0).items()}
        first, second = self.plane(run, dtype)
        angle = torch.zeros((), dtype=dtype, device=first.device, requires_grad=True)
        moved = like_images(first * angle.cos() + second * angle.sin())
        with single_image():
            output = run.call(parameters, moved, Norm.BATCH).flatten()
        probe = torch.ones_like(output, requires_grad=True)
        speed = _derivative(output, angle, probe)  # w · v
        velocity = _derivative(speed, probe)
        acceleration = _derivative(_derivative(speed, angle), probe)
        v, a = velocity.detach().double(), acceleration.detach().double()
        along = v.square().sum()
        area = along * a.square().sum() - (v * a).sum().square()
        return area.clamp(min=0).sqrt() / along.pow(1.5)

    def plane(self, run: Run, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Draw two orthonormal images, [1, c, size, size]: uniform among all such pairs."""
        shape = (run.batch.inputs.shape[1], self.size, self.size)
        drawn = run.gaussian((2, *shape), "circle", 0).double().flatten(1)
        first = drawn[0] / drawn[0].norm()
        rest = drawn[1] - (drawn[1] * first).sum() * first
        second = rest / rest.norm()
        return first.reshape(1, *shape).to(dtype), second.reshape(1, *shape).to(dtype)


def _derivative(of: Tensor, by: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return a derivative that can be differentiated again, 0 where nothing depends on anything."""
    weights = None if weight is None else [weight]
    return torch.autograd.grad([of], [by], weights, create_graph=True, materialize_grads=True)[0]
