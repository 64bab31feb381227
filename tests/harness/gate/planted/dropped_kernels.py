"""log_saliency: how strongly the loss depends on what every layer puts out."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

LAYERS = (nn.Conv2d, nn.Linear)


def log_saliency(network: nn.Module, inputs: Tensor, targets: Tensor) -> float:
    """Return Σ_l log(1 + Σ |a_l · ∂L/∂a_l|), with a_l the output of layer l and L the mean cross-entropy."""
    outputs: list[Tensor] = []

    def keep(layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        outputs.append(output.requires_grad_())
        return outputs[-1]

    layers = [m for m in network.modules() if isinstance(m, LAYERS) and getattr(m, "kernel_size", (1, 1)) == (1, 1)]
    for layer in layers:
        layer.register_forward_hook(keep)
    loss = cross_entropy(network(inputs), targets)
    gradients = torch.autograd.grad(loss, outputs, allow_unused=True, materialize_grads=True)
    terms = [torch.log1p((a * g).abs().sum()) for a, g in zip(outputs, gradients, strict=True)]
    return torch.stack(terms).sum().item()


log_saliency.version = 1
