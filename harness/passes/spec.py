"""What a metric may ask for, as values: forwards, targets and quantities. Imports no torch.

Equality means shareable: two metrics that need equal quantities get the same tensor from the same
pass. Symbols: N images in the mini-batch, C classes, L layers, *p the shape of a parameter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zcbench.harness.passes.observe import Recorder
    from zcbench.harness.passes.run import Run

MAX_PATTERN_BITS = 62
"""Images whose signs fit one 64-bit integer, with room to sort it."""


class Inputs(StrEnum):
    """What is fed to the network."""

    IMAGES = "images"
    ONES = "ones"
    """One image of ones, [1, c, h, w]."""
    GAUSSIAN = "gaussian"
    """x ~ N(0, 1), [N, c, h, w], drawn from (recipe, draw)."""
    PERTURBED = "perturbed"
    """x + 0.01 x', with the x of GAUSSIAN and x' ~ N(0, 1) drawn independently."""
    SHAPE = "shape"
    """Images on the meta device: shapes only, no arithmetic."""


class Weights(StrEnum):
    """Which weights the network has during the pass."""

    INITIAL = "initial"
    """As the recipe's initialisation made them."""
    ABSOLUTE = "absolute"
    """The absolute value of every parameter."""
    NORMAL = "normal"
    """Redrawn: convolution and linear weights N(0, 1), biases 0, norms at 1 and 0."""
    KAIMING = "kaiming"
    """Redrawn: convolution and linear weights N(0, 2/fan_in), biases 0, norms at 1 and 0."""


class Norm(StrEnum):
    """What batch normalisation does."""

    BATCH = "batch"
    """Normalises with the statistics of the batch (training mode)."""
    OFF = "off"
    """Is the identity."""
    RUNNING = "running"
    """Normalises with the running statistics of an untrained network, mean 0 and variance 1 (evaluation mode).

    Images do not influence one another then, so every image has a gradient of its own.
    """


class Dtype(StrEnum):
    """Floating-point type of a pass."""

    RECIPE = "recipe"
    """That of the recipe, which is the mini-batch's: float32 unless a caller hands over something else."""
    FLOAT64 = "float64"


class Target(StrEnum):
    """The scalar that is differentiated."""

    LOSS = "loss"
    """The loss of the task, mean over the N images: cross-entropy, or what the search space's task says."""
    LOGIT_SUM = "logit_sum"
    """Sum of the logits over images and classes, or of whatever the network gives."""


@dataclass(frozen=True, order=True)
class Forward:
    """One forward pass; equal forwards are run once.

    Attributes:
        inputs: what is fed.
        weights: with which weights.
        norm: what batch normalisation does.
        dtype: in which floating-point type.
        draw: number of the random draw, for inputs and weights that are drawn.
        samples: only the first so many images, of drawn inputs so many; None for all, and as many as the mini-batch.
        batch: number of the mini-batch: 0 is the recipe's own, the others are further ones without its images.
        size: height and width of drawn inputs; None for those of the images.
    """

    inputs: Inputs = Inputs.IMAGES
    weights: Weights = Weights.INITIAL
    norm: Norm = Norm.BATCH
    dtype: Dtype = Dtype.RECIPE
    draw: int = 0
    samples: int | None = None
    batch: int = 0
    size: int | None = None

    def __str__(self) -> str:
        shown = str(self.inputs) + (f" of mini-batch {self.batch + 1}" if self.batch else "")
        shown += f", {self.size}x{self.size}" if self.size is not None else ""
        drawn = self.inputs in DRAWN
        first = f", {'' if drawn else 'first '}{self.samples}" if self.samples is not None else ""
        draw = f", draw {self.draw}" if self.weights in REDRAWN else ""
        dtype = ", float64" if self.dtype is Dtype.FLOAT64 else ""
        return f"{shown}{first}, {self.weights} weights{draw}, norm {self.norm}{dtype}"


DRAWN = (Inputs.GAUSSIAN, Inputs.PERTURBED)
"""Inputs that are no images."""

REDRAWN = (Weights.NORMAL, Weights.KAIMING)
"""Weights that the recipe's initialisation did not make."""


@dataclass(frozen=True)
class Quantity:
    """Base of everything that a metric may need."""


@dataclass(frozen=True)
class Static(Quantity):
    """A quantity that needs no pass over data, so it exists for disconnected networks too."""


@dataclass(frozen=True)
class Parameters(Static):
    """Weights of all Conv2d and Linear layers (no bias, no norm): {name: [*p]}."""

    weights: Weights = Weights.INITIAL
    dtype: Dtype = Dtype.RECIPE


@dataclass(frozen=True)
class ParameterCount(Static):
    """Number of trainable parameters of the network, biases and norms included: []."""


@dataclass(frozen=True)
class MultiplyAccumulates(Static):
    """Multiply-accumulates of every Conv2d, ConvTranspose2d and Linear layer for one image: {name: int}.

    One more is added for each bias entry of a Linear layer. Counted from shapes: of a forward that others need, whose
    time is theirs, or else of one on the meta device, without norms, which change no shape.
    """

    forward: Forward = Forward(inputs=Inputs.SHAPE, norm=Norm.OFF)


@dataclass(frozen=True)
class Labels(Static):
    """The labels of the mini-batch: int64 [N]; no value for a task in which images have no class."""


@dataclass(frozen=True)
class ClassCount(Static):
    """The number of classes of the dataset: int; no value for a task in which images have no class."""


@dataclass(frozen=True)
class VectorOutput(Static):
    """That the network gives one vector for an image: True; a network that gives an image has no value here."""


@dataclass(frozen=True)
class Recorded(Quantity):
    """A quantity that hooks read off a forward pass."""

    forward: Forward = Forward()

    def recorder(self) -> Recorder | None:
        """Return what reads it, for a quantity that lives in one file with its arithmetic; see `Procedure`."""
        return None


@dataclass(frozen=True)
class Logits(Recorded):
    """The network's output: [N, C]."""


@dataclass(frozen=True)
class ReluGram(Recorded):
    """Agreements of the binary ReLU codes: float64 [N, N].

    K_ij is the number of ReLU inputs, over all layers, that are positive for both images i and j or for neither.
    """


@dataclass(frozen=True)
class ActivationPatterns(Recorded):
    """Number of distinct sample-wise patterns: int64 [].

    A pattern is (a(x_1) > 0, ..., a(x_S) > 0) for one value a behind a ReLU with 4-D output;
    S = forward.samples, at most 62.
    """


@dataclass(frozen=True)
class BatchVariance(Recorded):
    """Unbiased variance of the input of every BatchNorm2d over the batch, mean over its channels: {name: []}."""


@dataclass(frozen=True)
class PoolInput(Recorded):
    """What enters the last global average pooling: [N, c, h, w]."""


@dataclass(frozen=True)
class Differentiated(Quantity):
    """A quantity that needs a backward pass from a target."""

    target: Target = Target.LOSS
    forward: Forward = Forward()


@dataclass(frozen=True)
class ParamGradient(Differentiated):
    """Gradient with respect to the weights of Conv2d and Linear layers, zero where there is none: {name: [*p]}."""


@dataclass(frozen=True)
class ChannelFisher(Differentiated):
    """Channel saliency ½ mean_n (Σ_space a g)²: {name: [c]}.

    a is the output of a Conv2d or Linear layer and g = ∂target/∂a.
    """


@dataclass(frozen=True)
class InputGradientCorrelation(Differentiated):
    """Pearson correlation matrix of the rows ∂target/∂x_n, flattened: float64 [N, N]; NaN where a row is constant."""

    target: Target = Target.LOGIT_SUM


@dataclass(frozen=True)
class HessianGradient(Differentiated):
    """The Hessian-vector product H g: {name: [*p]}.

    g = ∂target/∂w is held constant, and H is the Hessian with respect to the same weights (those of Conv2d
    and Linear layers). One double backward that reuses the shared g.
    """


@dataclass(frozen=True)
class WeightHessianGradient(Differentiated):
    """The number θᵀ H g, float64 []: the weights θ of Conv2d and Linear layers times `HessianGradient`.

    It is the second derivative of the target along θ and along g, for which both are carried through the network
    forwards. On six cells of NAS-Bench-201 that took 0.30 to 0.79 times as long as the vector, gradient not counted.
    """


@dataclass(frozen=True)
class Passes:
    """How many passes a quantity takes that runs passes of its own.

    Attributes:
        forwards: forward passes, whatever the mini-batch.
        backwards: backward passes, whatever the mini-batch.
        words: what comes on top and depends on the mini-batch or the space, ``a backward for every image``, or where
            the passes run: a part of a sentence that a comma separates from the numbers.
    """

    forwards: int = 0
    backwards: int = 0
    words: str = ""

    def __str__(self) -> str:
        return ", ".join(filter(None, (counted(self.forwards, self.backwards), self.words)))


def counted(forwards: int, backwards: int) -> str:
    """Return ``1 forward and 2 backwards``, without what there is none of; empty where there is nothing."""
    named = (("forward", forwards), ("backward", backwards))
    return " and ".join(f"{count} {name}{'s' if count > 1 else ''}" for name, count in named if count)


@dataclass(frozen=True)
class Procedure(Quantity):
    """A quantity that runs passes of its own, which nothing else can share but metrics that need the same one.

    Each lives in a file of its own in this folder, together with its arithmetic, because one family of metrics
    alone knows it.
    """

    @property
    def passes(self) -> Passes:
        """What it takes."""
        raise NotImplementedError

    @property
    def batches(self) -> int:
        """Number of further mini-batches that it looks at."""
        return 0

    def compute(self, run: Run) -> Any:
        """Return the value.

        Args:
            run: the network, the mini-batch, and forwards on demand.

        Raises:
            Undefined: where there is none.
        """
        raise NotImplementedError


def further_batches(quantities: Iterable[Quantity]) -> int:
    """Return how many mini-batches besides the recipe's own some quantities look at."""
    needed = [0]
    for quantity in quantities:
        if isinstance(quantity, Procedure):
            needed.append(quantity.batches)
        elif isinstance(forward := getattr(quantity, "forward", None), Forward):
            needed.append(forward.batch)
    return max(needed)


Need = Quantity | tuple[Quantity, ...]
"""What one argument of a metric stands for: a quantity, or several of them."""


@dataclass(frozen=True)
class Needs:
    """The needs of a metric: argument name to quantity or quantities.

    Attributes:
        items: pairs of argument name and need, in the order of the signature.
    """

    items: tuple[tuple[str, Need], ...] = field(default=())

    def quantities(self) -> tuple[Quantity, ...]:
        """All quantities, flattened, each once."""
        flat: dict[Quantity, None] = {}
        for _, need in self.items:
            flat.update(dict.fromkeys(need if isinstance(need, tuple) else (need,)))
        return tuple(flat)
