"""What the passes of one evaluation share: the network, the mini-batch, its weights, and forwards on demand."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from zcbench.harness.device import is_gpu, moved
from zcbench.harness.initialise import INITIALISATIONS, draw, initialise, seeded
from zcbench.harness.metric import Undefined
from zcbench.harness.passes.double_backward import inside
from zcbench.harness.passes.observe import Recorder, observed
from zcbench.harness.passes.second_order import SecondOrder
from zcbench.harness.passes.shortcuts import Shortcut
from zcbench.harness.passes.spec import (
    DRAWN,
    REDRAWN,
    Dtype,
    Forward,
    Inputs,
    Norm,
    Quantity,
    Weights,
)
from zcbench.harness.passes.state import Parts, fresh_buffers, like_images, norm, prunable, resolve
from zcbench.harness.passes.tape import Path, Tape
from zcbench.harness.timing import Clock
from zcbench.harness.types import Architecture, Loss, Task

if TYPE_CHECKING:
    from zcbench.harness.space import SearchSpace

PERTURBATION = 0.01


def _cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    if output.dim() > 2 and is_gpu(output.device):
        # The reduction over pixels inside the operation has no deterministic form there.
        return functional.cross_entropy(output, target, reduction="none").mean()
    return functional.cross_entropy(output, target)


LOSSES: Mapping[Loss, Callable[[Tensor, Tensor], Tensor]] = {
    Loss.CROSS_ENTROPY: _cross_entropy,
    Loss.MEAN_SQUARED: functional.mse_loss,
    Loss.MEAN_ABSOLUTE: functional.l1_loss,
}
"""Each is the mean over all images, and over all pixels and values of an image."""

_DRAWN_FROM = {Weights.NORMAL: "normal", Weights.KAIMING: "kaiming_normal"}


@dataclass(frozen=True)
class MiniBatch:
    """The mini-batch on the device.

    Attributes:
        inputs: [N, c, h, w]; its type is that of all passes that do not ask for float64.
        targets: what the loss compares the output with: int64 [N] classes; for a `task` of another kind int64
            [N, H, W] classes of pixels, or values of the shape of the output.
        classes: C.
        task: what the network predicts; None: the class of every image.
        further: more mini-batches without images of this one, as pairs of inputs and targets.
        stands_for: on the meta device, the type of the device whose passes are followed; empty: of a GPU.
    """

    inputs: Tensor
    targets: Tensor
    classes: int
    task: Task | None = None
    further: tuple[tuple[Tensor, Tensor], ...] = ()
    stands_for: str = ""

    @property
    def on_cpu(self) -> bool:
        """Whether passes are those of a CPU, where the host may look at values."""
        return (self.stands_for or self.inputs.device.type) == "cpu"

    def numbered(self, number: int) -> tuple[Tensor, Tensor]:
        """Return inputs and targets of one mini-batch; 0 is this one.

        Raises:
            Undefined: if there are not so many.
        """
        if number > len(self.further):
            raise Undefined(f"needs {number + 1} mini-batches, and there are images for {len(self.further) + 1}")
        return (self.inputs, self.targets) if number == 0 else self.further[number - 1]


@dataclass(frozen=True)
class Origin:
    """Where a network comes from, for metrics that look at other networks of its search space.

    Attributes:
        space: the search space.
        architecture: the architecture.
        classes: number of classes, or of outputs, that its networks are built for.
        init: name of the initialisation, as in a recipe.
        init_seed: its seed.
        shared: what was computed before and does not depend on the architecture; one for a whole job.
    """

    space: SearchSpace
    architecture: Architecture
    classes: int
    init: str
    init_seed: int
    shared: dict[Hashable, Any] = field(default_factory=dict, compare=False)

    @property
    def key(self) -> tuple[Hashable, ...]:
        """What draws are seeded with that are the same for all architectures."""
        return (self.init, self.init_seed, self.space.name)

    def initialised(self, network: nn.Module, *key: Hashable) -> nn.Module:
        """Give a network from the meta device the weights of the recipe's initialisation, on the CPU.

        Args:
            network: as a space builds it.
            *key: what the draw is seeded with, besides `key`.
        """
        chosen = INITIALISATIONS[self.init.partition("@")[0]]
        return initialise(network, chosen, seeded(*self.key, *key))

    def remember(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return what ``make`` gives, made once for all architectures of this initialisation.

        Args:
            key: names the thing.
            make: computes it; it may not look at the architecture.
        """
        full = (*self.key, key)
        if full not in self.shared:
            self.shared[full] = make()
        return self.shared[full]


@dataclass(frozen=True)
class Opened:
    """A forward pass that was run, and can be differentiated.

    Attributes:
        inputs: what was fed, [N, c, h, w].
        parameters: all parameters by name, as leaves of the graph.
        logits: the network's output, [N, C].
        path: the calls that led to the logits; None where nobody asked for them, or some have no rule.
    """

    inputs: Tensor
    parameters: Mapping[str, Tensor]
    logits: Tensor
    path: Path | None = None


NO_WEIGHTS = "the network has no weights of Conv2d or Linear layers"


@dataclass
class Run:
    """Everything that the passes of one evaluation share.

    Attributes:
        network: on the device of the mini-batch, in training mode.
        batch: the mini-batch.
        key: what random draws are seeded with, e.g. (initialisation, seed, architecture).
        clock: takes the time.
        values: quantities that are there already.
        origin: where the network comes from; None for a network that somebody handed over.
    """

    network: nn.Module
    batch: MiniBatch
    key: tuple[Hashable, ...]
    clock: Clock
    values: dict[Quantity, Any] = field(default_factory=dict)
    origin: Origin | None = None
    _weights: dict[tuple[Weights, Dtype, int], dict[str, Tensor]] = field(default_factory=dict)

    @cached_property
    def parts(self) -> Parts:
        """What the network consists of."""
        return Parts.of(self.network)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The weights of Conv2d and Linear layers, in the order of the modules."""
        return prunable(self.parts)

    def weighted(self) -> tuple[str, ...]:
        """Return the names of the weights to differentiate by.

        Raises:
            Undefined: if there are none.
        """
        if not self.names:
            raise Undefined(NO_WEIGHTS)
        return self.names

    def weights(self, kind: Weights, dtype: Dtype, number: int) -> dict[str, Tensor]:
        """Parameters by name for one kind of weights, made once."""
        key = (kind, dtype, number if kind in REDRAWN else 0)
        if key not in self._weights:
            self._weights[key] = self._make(*key)
        return self._weights[key]

    @cached_property
    def _initial(self) -> dict[str, Tensor]:
        """The parameters as they are, laid out as images are."""
        return {name: like_images(p.detach()) for name, p in self.parts.parameters.items()}

    def _make(self, kind: Weights, dtype: Dtype, number: int) -> dict[str, Tensor]:
        to = resolve(dtype, self.batch.inputs.dtype)
        if kind in REDRAWN:
            which = "weights" if kind is Weights.NORMAL else str(kind)
            drawn = draw(self.network, INITIALISATIONS[_DRAWN_FROM[kind]], seeded(*self.key, which, number))
            return {name: like_images(moved(drawn[name].to(to), p.device)) for name, p in self._initial.items()}
        if kind is Weights.ABSOLUTE:
            return {name: p.to(to).abs() for name, p in self._initial.items()}
        return {name: p.to(to) for name, p in self._initial.items()}

    def inputs(self, forward: Forward) -> Tensor:
        """What this forward feeds, laid out channels last."""
        images, _ = self.batch.numbered(forward.batch)
        if forward.samples is not None and forward.inputs not in DRAWN:
            if forward.samples > len(images):
                raise Undefined(f"needs {forward.samples} images, the mini-batch has {len(images)}")
            images = images[: forward.samples]
        return like_images(self._feed(forward, images).to(resolve(forward.dtype, self.batch.inputs.dtype)))

    def _feed(self, forward: Forward, images: Tensor) -> Tensor:
        if forward.inputs is Inputs.IMAGES:
            return images
        if forward.inputs is Inputs.ONES:
            return torch.ones_like(images[:1])
        if forward.inputs is Inputs.SHAPE:
            # Two images: batch norm refuses to normalise a single value.
            return torch.empty((2, *images.shape[1:]), device="meta")
        n, c, height, width = images.shape
        shape = (forward.samples or n, c, forward.size or height, forward.size or width)
        first = self.gaussian(shape, "first", forward.draw)
        if forward.inputs is Inputs.GAUSSIAN:
            return first
        return first + PERTURBATION * self.gaussian(shape, "second", forward.draw)

    def gaussian(self, shape: Sequence[int], which: str, number: int) -> Tensor:
        """Draw x ~ N(0, 1), float32, on the device of the mini-batch.

        Args:
            shape: its shape.
            which: name of the draw.
            number: number of the draw.
        """
        generator = seeded(*self.key, "inputs", which, number)
        return moved(torch.randn(tuple(shape), generator=generator), self.batch.inputs.device)

    def open(
        self, forward: Forward, *, of_weights: Iterable[str] = (), of_inputs: bool = False,
        recorders: Sequence[Recorder] = (), graph: bool = True, hessian: bool = False, taped: bool = False,
        shortcuts: Sequence[Shortcut] = (),
    ) -> Opened:
        """Run one forward, with a graph to differentiate where there is something to differentiate by.

        Args:
            forward: inputs, weights, norm and floating-point type.
            of_weights: names of the parameters that gradients will be asked for.
            of_inputs: whether gradients of the inputs will be asked for.
            recorders: what looks at the modules while they run.
            graph: whether to keep a graph at all.
            hessian: whether its gradient will be differentiated once more.
            taped: whether to note the calls, for derivatives that are carried along afterwards.
            shortcuts: how to spare work; none where the graph is asked which modules were used.

        Raises:
            RunInFullError: if a shortcut does not hold.
        """
        wanted = set(of_weights)
        inputs = self.inputs(forward).detach().requires_grad_(of_inputs)
        parameters = {
            name: p.detach().requires_grad_(name in wanted)
            for name, p in self.weights(forward.weights, forward.dtype, forward.draw).items()
        }
        second = SecondOrder() if hessian else None
        if second is not None:
            inputs = inside(inputs)
            parameters = {name: inside(p) for name, p in parameters.items()}
        tape = Tape(parameters, inputs, plainly=hessian) if taped else None
        with torch.set_grad_enabled(graph), second or nullcontext(), tape or nullcontext(), ExitStack() as stack:
            for shortcut in shortcuts:
                stack.enter_context(shortcut(self.parts.modules.values()))
            logits = self.call(parameters, inputs, forward.norm, recorders)
        return Opened(inputs, parameters, logits, tape.to(logits) if tape is not None else None)

    def call(
        self, parameters: Mapping[str, Tensor], inputs: Tensor, kind: Norm, recorders: Sequence[Recorder] = ()
    ) -> Tensor:
        """Run the network with other parameters and fresh buffers, and return its output: [N, C].

        Args:
            parameters: all parameters by name, and buffers that are not to be fresh.
            inputs: what is fed, [N, c, h, w].
            kind: what batch normalisation does.
            recorders: what looks at the modules while they run.
        """
        state = {**fresh_buffers(self.parts, inputs.dtype, kind), **parameters}
        if inputs.is_meta:
            state = {name: t if t.is_meta else torch.empty_like(t, device="meta") for name, t in state.items()}
        state |= {alias: state[name] for alias, name in self.parts.aliases.items()}
        looked_at = observed(self.parts.modules, recorders, self.clock)
        with norm(self.network, kind), looked_at, self.parts.replaced(state):
            found: Tensor = self.network(inputs)
        return found

    def loss(self, logits: Tensor, number: int = 0) -> Tensor:
        """Return the loss of the task, mean over the images: [].

        Args:
            logits: output for the first images of a mini-batch.
            number: number of the mini-batch.
        """
        task = self.batch.task
        targets = self.batch.numbered(number)[1][: len(logits)]
        return LOSSES[Loss.CROSS_ENTROPY if task is None else task.loss](logits, targets)
