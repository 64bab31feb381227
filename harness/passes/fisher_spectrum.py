"""Eigenvalues of a Fisher information matrix of a few weights, one of every parameter tensor.

With the running statistics of batch norm, images do not influence one another: one backward pass from the sum of a
logit over the images gives, at the output of every layer, the gradient of each image by itself. The derivative with
respect to one single weight follows from it with one product for every image, so that a pass for every class replaces
one for every image and class.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn import functional

from zcbench.harness.metric import Undefined
from zcbench.harness.passes.run import NO_WEIGHTS, Run
from zcbench.harness.passes.spec import Forward, Inputs, Norm, Passes, Procedure, Quantity, Weights

MOST_TENSORS = 128
SMOOTHING = 0.05
RANDOM = Forward(inputs=Inputs.GAUSSIAN, weights=Weights.KAIMING, norm=Norm.RUNNING)


@dataclass(frozen=True)
class Spectrum:
    """What the pass gives.

    Attributes:
        eigenvalues: ascending, float64 [D].
        tensors: number of parameter tensors of the whole network.
    """

    eigenvalues: Tensor
    tensors: int


@dataclass(frozen=True)
class FisherSpectrum(Procedure):
    """Spectrum of F = mean_n (L_n J_n)ᵀ (L_n J_n).

    J_n is the Jacobian of the logits of image n with respect to the first entry of each of the first 128 parameter
    tensors, in the order of the modules: [C, D]. L_n is the lower Cholesky factor of the covariance diag(p) − p pᵀ of
    the class of image n, p = 0.95 softmax + 0.05 / C.
    """

    forward: Forward = RANDOM

    @property
    def passes(self) -> Passes:
        """One forward, and a backward for every class but the last."""
        return Passes(forwards=1, words="a backward for every class")

    def compute(self, run: Run) -> Spectrum:
        """Return the spectrum.

        Raises:
            Undefined: where a parameter belongs to a module without a rule, the output is an image, or there are too
                few images.
        """
        names = [name for name, p in run.network.named_parameters() if p.requires_grad]
        if not names:
            raise Undefined(NO_WEIGHTS)
        chosen = names[:MOST_TENSORS]
        recorder = EntryRecorder(self, chosen)
        recorder.check(run.network)
        opened = run.open(self.forward, of_weights=chosen, recorders=[recorder])
        logits = opened.logits
        if logits.dim() != 2:
            raise Undefined("the output is an image, not a vector of classes")
        if logits.shape[1] < 2:
            raise Undefined("the probability of a single class does not vary")
        if len(logits) * (logits.shape[1] - 1) < len(chosen):
            raise Undefined(
                f"the information of {len(chosen)} weights from {len(logits)} images of {logits.shape[1]} classes is "
                f"singular; with images={-(-len(chosen) // (logits.shape[1] - 1))} it need not be"
            )
        # The last column of the factor is 0: the last class is left out.
        rows = []
        for label in range(logits.shape[1] - 1):
            gradients = torch.autograd.grad(
                logits[:, label].sum(), recorder.edges, retain_graph=label + 2 < logits.shape[1], allow_unused=True
            )  # fmt: skip
            rows.append(recorder.derivatives(gradients, len(logits)))
        jacobian = torch.stack(rows, dim=1)  # [N, C - 1, D]
        scaled = (cholesky(logits.detach().double())[:, :, :-1] @ jacobian).flatten(0, 1)  # [N C, D]
        return Spectrum(torch.linalg.eigvalsh(scaled.T @ scaled / len(logits)), len(names))


@dataclass
class _Entry:
    """The first entry of one parameter, at one call of its module: its derivative is Σ gradient · factor.

    Attributes:
        name: name of the parameter.
        edge: number of the call.
        factor: derivative of the module's first channel by the entry, [N, ...]; None for 1.
    """

    name: str
    edge: int
    factor: Tensor | None


@dataclass
class EntryRecorder:
    """Keeps the edges at which to ask for gradients, and what a change of one entry does to a layer's output."""

    quantity: Quantity
    chosen: list[str]
    edges: list[GradientEdge] = field(default_factory=list)
    entries: list[_Entry] = field(default_factory=list)

    types = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)

    def check(self, network: nn.Module) -> None:
        """Refuse parameters of modules for which there is no rule.

        Raises:
            Undefined: naming the module.
        """
        for name in self.chosen:
            prefix = name.rpartition(".")[0]
            module = network.get_submodule(prefix)
            if not isinstance(module, self.types):
                kind = type(module).__name__
                raise Undefined(f"there is no rule for the parameters of {prefix or 'the network'}, a {kind}")
            if isinstance(module, nn.Conv2d) and (isinstance(module.padding, str) or module.padding_mode != "zeros"):
                raise Undefined(f"there is no rule for the padding of {prefix}")
            if isinstance(module, nn.BatchNorm2d) and module.running_mean is None:
                raise Undefined(f"batch norm {prefix} keeps no running statistics, so its images influence one another")

    def see(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Keep one call of a module with a chosen parameter."""
        own = [f"{name}.{kind}" if name else kind for kind in ("weight", "bias")]
        if not set(own) & set(self.chosen) or not output.requires_grad:
            return
        self.edges.append(get_gradient_edge(output))
        for parameter, factor in zip(own, (first_factor(module, inputs[0].detach()), None), strict=True):
            if parameter in self.chosen:
                self.entries.append(_Entry(parameter, len(self.edges) - 1, factor))

    def derivatives(self, gradients: tuple[Tensor | None, ...], images: int) -> Tensor:
        """Return the derivatives with respect to the entries: float64 [N, D], 0 where nothing depends on one.

        Args:
            gradients: at the edges, of the sum over images of one logit.
            images: N.
        """
        found: dict[str, Tensor] = {}
        for entry in self.entries:
            gradient = gradients[entry.edge]
            if gradient is None:
                continue
            first = gradient[..., 0] if gradient.dim() == 2 else gradient[:, 0]  # [N] or [N, h, w]
            product = first if entry.factor is None else first * entry.factor
            value = product.double().flatten(1).sum(dim=1) if product.dim() > 1 else product.double()
            found[entry.name] = found[entry.name] + value if entry.name in found else value
        device = next((g.device for g in gradients if g is not None), None)
        nothing = torch.zeros(images, dtype=torch.float64, device=device)
        return torch.stack([found.get(name, nothing) for name in self.chosen], dim=1)


def first_factor(module: nn.Module, x: Tensor) -> Tensor:
    """Derivative of the first channel of a module's output by the first entry of its weight.

    Args:
        module: a Conv2d, whose entry [0, 0, 0, 0] meets the shifted first channel of the input; a BatchNorm2d, whose
            entry [0] meets the normalised one; or a Linear, whose entry [0, 0] meets the first value.
        x: its input; what is returned is a copy, because later layers may work in place.

    Returns:
        [N, h, w] or [N].
    """
    if isinstance(module, nn.Linear):
        return x[..., 0].clone()
    if isinstance(module, nn.BatchNorm2d):
        assert module.running_mean is not None
        assert module.running_var is not None
        return (x[:, 0] - module.running_mean[0]) / (module.running_var[0] + module.eps).sqrt()
    assert isinstance(module, nn.Conv2d)
    assert not isinstance(module.padding, str)
    (above, left), (down, right) = module.padding, module.stride
    reach = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
    height, width = x.shape[2] + 2 * above - reach[0], x.shape[3] + 2 * left - reach[1]
    padded = functional.pad(x[:, 0], (left, left, above, above))
    return padded[:, :height:down, :width:right].clone()


def cholesky(logits: Tensor) -> Tensor:
    """Lower Cholesky factor of diag(p) − p pᵀ, p the smoothed softmax, in closed form (Tanabe and Sagae, 1992).

    L_jj = d_j = √(p_j q_j / q_{j−1}) and L_ij = −p_i d_j / q_j for i > j, with q_j = Σ_{i>j} p_i and q_{−1} = 1. The
    covariance is singular: the last column is 0.

    Args:
        logits: [N, C].

    Returns:
        [N, C, C].
    """
    count = logits.shape[1]
    p = logits.softmax(dim=1) * (1 - SMOOTHING) + SMOOTHING / count
    # Not torch.cumsum, which has no deterministic form on a GPU.
    from_here = torch.stack([*accumulate(p.flip(1).unbind(1))], dim=1).flip(1)  # q_{j-1}
    after = torch.cat([from_here[:, 1:], torch.zeros_like(p[:, :1])], dim=1)  # q_j
    d = (p * after / from_here).sqrt()
    column = torch.where(after > 0, d / torch.where(after > 0, after, 1.0), 0.0)  # d_j / q_j
    below = (-p[:, :, None] * column[:, None, :]).tril(-1)
    return below + torch.diag_embed(d)
