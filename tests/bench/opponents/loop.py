"""The thirteen metrics of NAS-Bench-Suite-Zero one at a time, as zero-cost-nas and NASLib compute them.

A metric copies the network, runs its own passes in float32 with tensors laid out as PyTorch does by default, and has
the garbage collected when it is done: 13 forwards, 10 backwards, the last of which is the double backward of grasp, and
10 collections. The structure is that of the tools (Abdelfattah et al., ICLR 2021, arXiv:2101.08134, and
Krishnakumar et al., NeurIPS 2022, arXiv:2210.03230), the code is not. Both collect the garbage after every metric that
worked on a copy (``measures/__init__.py``), so that the copy is gone before the next one is made.

Where a tool does more in its passes than the formula needs, the cheaper way is taken, so that the opponent is no straw
man:

- params is counted on the network itself, without the copy and the forward of NASLib's model statistics;
- l2_norm reads the network itself, as there, and neither copies nor collects;
- flops looks at convolutions and linear layers only, on one image, keeps no graph, and collects nothing, as there;
- fisher reads gradients with hooks on tensors, not on extra modules, and spreads channels over weights by broadcasting.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, cross_entropy, linear

from bench.opponents import Subject
from zcbench.harness.initialise import INITIALISATIONS, draw, seeded

K = 1e-5
"""What jacov and epe_nas add before the logarithm."""

Found = TypeVar("Found")


def collected(score: Callable[[Subject], Found]) -> Callable[[Subject], Found]:
    """Have the garbage collected once the copy that a metric worked on is let go, as the tools do."""

    @wraps(score)
    def cleaned(subject: Subject) -> Found:
        found = score(subject)
        gc.collect()
        return found

    return cleaned


def weighted(network: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """The layers that metrics of weights look at."""
    return [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def total(parts: Iterable[Tensor]) -> float:
    """Add up the sums of all layers, and fetch the number."""
    return float(torch.stack([part.sum() for part in parts]).sum().item())


def trained_once(subject: Subject) -> nn.Module:
    """A copy with the gradients of the mean loss in every parameter."""
    network = subject.copy()
    network.zero_grad()
    cross_entropy(network(subject.inputs), subject.targets).backward()
    return network


def gradient(weight: nn.Parameter) -> Tensor:
    """What a backward pass left, or zeros."""
    return torch.zeros_like(weight) if weight.grad is None else weight.grad


@collected
def grad_norm(subject: Subject) -> float:
    """Σ_l ‖∂L/∂W_l‖."""
    return total(gradient(layer.weight).norm() for layer in weighted(trained_once(subject)))


@collected
def plain(subject: Subject) -> float:
    """Σ w ∂L/∂w."""
    return total((layer.weight * gradient(layer.weight)).detach() for layer in weighted(trained_once(subject)))


def _masked(layer: nn.Conv2d | nn.Linear, x: Tensor) -> Tensor:
    weight = layer.weight * layer.mask
    if isinstance(layer, nn.Linear):
        return linear(x, weight, layer.bias)
    return conv2d(x, weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups)


@collected
def snip(subject: Subject) -> float:
    """Σ |∂L/∂m| for masks m = 1 on frozen weights."""
    network = subject.copy()
    layers = weighted(network)
    for layer in layers:
        layer.mask = nn.Parameter(torch.ones_like(layer.weight))
        layer.weight.requires_grad_(False)
        layer.forward = partial(_masked, layer)  # type: ignore[method-assign]
    cross_entropy(network(subject.inputs), subject.targets).backward()
    return total(gradient(layer.mask).abs() for layer in layers)


def grasp(subject: Subject) -> float:
    """−Σ w (H g), see `grasp_terms`."""
    return total(grasp_terms(subject))


@collected
def grasp_terms(subject: Subject) -> list[Tensor]:
    """−w (H g): a forward and backward for g, another forward, a gradient with a graph, and the double backward."""
    network = subject.copy()
    layers = weighted(network)
    weights = [layer.weight for layer in layers]
    network.zero_grad()
    loss = cross_entropy(network(subject.inputs), subject.targets)
    held = torch.autograd.grad(loss, weights, allow_unused=True)
    loss = cross_entropy(network(subject.inputs), subject.targets)
    followed = torch.autograd.grad(loss, weights, create_graph=True, allow_unused=True)
    pairs = [(h, f) for h, f in zip(held, followed, strict=True) if h is not None and f is not None]
    product = torch.stack([(h * f).sum() for h, f in pairs]).sum()
    product.backward()
    return [-(w.detach() * gradient(w)) for w in weights]


@collected
def fisher(subject: Subject) -> float:
    """Σ over weights of ½ mean_n (Σ_space a g)² of their channel, with a hook on every layer's output."""
    network = subject.copy()
    channels: dict[nn.Module, Tensor] = {}

    def arrived(layer: nn.Module, activation: Tensor, g: Tensor) -> None:
        product = activation * g
        summed = product.flatten(2).sum(2) if product.dim() > 2 else product  # [N, c]
        channels[layer] = summed.pow(2).mean(0).mul(0.5)

    def ran(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        output.register_hook(partial(arrived, layer, output.detach()))

    layers = weighted(network)
    for layer in layers:
        layer.register_forward_hook(ran)
    network.zero_grad()
    cross_entropy(network(subject.inputs), subject.targets).backward()
    return total(
        channels[layer].abs().reshape(-1, *[1] * (layer.weight.dim() - 1)).expand_as(layer.weight)
        for layer in layers
        if layer in channels
    )


def _jacobian(subject: Subject) -> np.ndarray:
    """∂(Σ logits)/∂x for every image, flattened; the weights get their gradients in passing."""
    network = subject.copy()
    network.zero_grad()
    inputs = subject.inputs.clone().requires_grad_()
    logits = network(inputs)
    logits.backward(torch.ones_like(logits))
    assert inputs.grad is not None
    return inputs.grad.detach().reshape(len(inputs), -1).numpy()


@collected
def jacov(subject: Subject) -> float:
    """−Σ [log(λ + k) + 1/(λ + k)] over the eigenvalues of the correlations between images."""
    eigenvalues, _ = np.linalg.eig(np.corrcoef(_jacobian(subject)))
    return float(-np.sum(np.log(eigenvalues + K) + 1 / (eigenvalues + K)).real)


@collected
def epe_nas(subject: Subject) -> float:
    """Σ_c |Σ_ij log(|r_ij| + k)| over the correlations within a class; for up to 100 classes."""
    rows, labels = _jacobian(subject), subject.targets.numpy()
    return float(sum(abs(np.log(np.abs(np.corrcoef(rows[labels == c])) + K).sum()) for c in np.unique(labels)))


@collected
def nwot(subject: Subject) -> float:
    """log |det K| of the ReLU codes, in training mode, with a hook on every ReLU."""
    network = subject.copy()
    n = len(subject.inputs)
    kernel = np.zeros((n, n))

    def ran(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal kernel
        code = (inputs[0].reshape(n, -1) > 0).float()
        kernel = kernel + (code @ code.T).numpy() + ((1 - code) @ (1 - code).T).numpy()

    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(ran)
    network(subject.inputs.clone())
    return float(np.linalg.slogdet(kernel)[1])


@collected
def synflow(subject: Subject) -> float:
    """log Σ |w ∂R/∂w| in float64, with absolute parameters, no batch norm and one image of ones."""
    network = subject.copy()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.forward = nn.Identity().forward  # type: ignore[method-assign]
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.abs_()
    network.zero_grad()
    network.double()
    network(torch.ones((1, *subject.inputs.shape[1:]), dtype=torch.float64)).sum().backward()
    return math.log(total((layer.weight * gradient(layer.weight)).abs().detach() for layer in weighted(network)))


@collected
def zen(subject: Subject) -> float:
    """log mean ‖f(x) − f(x + 0.01 x')‖₁ + Σ log √(mean running variance), after two forwards of redrawn weights."""
    network = subject.copy()
    with torch.no_grad():
        for name, value in draw(network, INITIALISATIONS["normal"], seeded(*subject.key, "weights", 0)).items():
            network.get_parameter(name).copy_(value)
        features: list[Tensor] = []
        pools = [m for m in network.modules() if isinstance(m, nn.AdaptiveAvgPool2d)]
        pools[-1].register_forward_pre_hook(lambda module, inputs: features.append(inputs[0]))
        x, other = (
            torch.randn(subject.inputs.shape, generator=seeded(*subject.key, "inputs", which, 0))
            for which in ("first", "second")
        )
        network(x.to(subject.inputs))
        network((x + 0.01 * other).to(subject.inputs))
        score = (features[0] - features[1]).abs().sum(dim=[1, 2, 3]).mean().log()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                score = score + module.running_var.mean().sqrt().log()
    return float(score.item())


def l2_norm(subject: Subject) -> float:
    """Σ_l ‖W_l‖."""
    return total(layer.weight.detach().norm() for layer in weighted(subject.network))


def params(subject: Subject) -> float:
    """Trainable parameters in millions."""
    return sum(p.numel() for p in subject.network.parameters() if p.requires_grad) / 1e6


def flops(subject: Subject) -> float:
    """Multiply-accumulates of one image in millions, counted by hooks while a copy runs."""
    network = subject.copy().eval()
    counted = 0

    def ran(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal counted
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        counted += output[0].numel() * layer.weight[0].numel()
        if isinstance(layer, nn.Linear) and layer.bias is not None:
            counted += layer.bias.numel()

    for layer in weighted(network):
        layer.register_forward_hook(ran)
    with torch.no_grad():
        network(subject.inputs[:1])
    return counted / 1e6


METRICS: dict[str, Callable[[Subject], float]] = {
    "epe_nas": epe_nas, "fisher": fisher, "flops": flops, "grad_norm": grad_norm, "grasp": grasp, "jacov": jacov,
    "l2_norm": l2_norm, "nwot": nwot, "params": params, "plain": plain, "snip": snip, "synflow": synflow, "zen": zen,
}  # fmt: skip
