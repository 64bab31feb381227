"""The central values of zcbench: frozen, hashable where they serve as keys, free of torch.

Notation used everywhere: N images in a mini-batch, A architectures, M metrics, R training
repeats, S initialisation seeds.
"""

import hashlib
import json
from collections.abc import Hashable
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Self


class Outcome(StrEnum):
    """What became of a metric on one architecture."""

    OK = "ok"
    UNDEFINED = "undefined"
    FAILED = "failed"


OUT_OF_MEMORY = "oom"
"""With what the reason of every score begins that failed for want of memory."""


def cause(reason: str) -> str:
    """Return a reason by which scores can be counted: for want of memory, without the numbers of the one case."""
    return OUT_OF_MEMORY if reason.startswith(f"{OUT_OF_MEMORY}:") else reason


@dataclass(frozen=True, slots=True)
class Architecture:
    """One candidate of a search space.

    Attributes:
        space: the name of the search space.
        id: the space's own string, exactly as it was given; the key of rows, truth and exports.
        genotype: the parsed form that the space builds a network from.
    """

    space: str
    id: str
    genotype: Hashable

    def __str__(self) -> str:
        return self.id


class Loss(StrEnum):
    """What a network is trained to make small; always the mean over everything that is predicted."""

    CROSS_ENTROPY = "cross_entropy"
    MEAN_SQUARED = "mean_squared"
    MEAN_ABSOLUTE = "mean_absolute"


@dataclass(frozen=True, slots=True)
class Task:
    """What a network predicts, where that is not the class of an image of the dataset.

    Attributes:
        name: the benchmark's name of the task, e.g. ``room_layout``.
        loss: what is differentiated for the metrics that look at the loss.
        outputs: number of classes, of values or of channels.
        dense: whether there is one prediction for every pixel, [N, outputs, H, W], or one for the image.
    """

    name: str
    loss: Loss
    outputs: int
    dense: bool = False

    @property
    def classifies(self) -> bool:
        """Whether every image has one class."""
        return self.loss is Loss.CROSS_ENTROPY and not self.dense


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything besides architecture and metric that a score depends on.

    Attributes:
        dataset: name of the image dataset, e.g. ``cifar10``.
        split: which of its images the mini-batch was drawn from.
        images: digest of the mini-batch itself (pixels and labels).
        preprocessing: how pixels became network inputs, in words.
        batch_size: N.
        batch_seed: seed of the draw of the mini-batch.
        init: name and version of the weight initialisation, e.g. ``pytorch@1``.
        init_seed: seed of the initialisation.
        dtype: floating-point type of the shared passes.
        network: how the space built its networks, ``cells=8,channels=32``; empty where there is no choice.
        resolution: height and width of the images, where somebody chose them; 0: those of the dataset.
        labels: ``random`` where the classes of the images were drawn at random; empty: those of the dataset.
    """

    dataset: str
    split: str
    images: str
    preprocessing: str
    batch_size: int
    batch_seed: int
    init: str
    init_seed: int
    dtype: str = "float32"
    network: str = ""
    resolution: int = 0
    labels: str = ""

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError: if it is no JSON.
            TypeError: if a field is missing, unknown or of another type.
        """
        found = cls(**json.loads(text))
        for one in fields(cls):
            if type(value := getattr(found, one.name)) is not one.type:
                raise TypeError(f"{one.name} of a recipe holds {type(value).__name__}")
        return found

    @classmethod
    def stored(cls, digest: str, text: str) -> Self:
        """Read what a store holds under a digest.

        Raises:
            ValueError: if it is no JSON, or of another digest.
            TypeError: as `from_json`.
        """
        found = cls.from_json(text)
        if found.digest != digest:
            raise ValueError(f"the recipe {digest} was changed")
        return found

    def to_json(self) -> str:
        """Return the recipe as canonical JSON (sorted keys, no spaces), without what nobody chose.

        So a recipe of a space without a choice has the digest that it had before networks could be chosen.
        """
        content = asdict(self)
        for name in ("network", "resolution", "labels"):
            if not content[name]:
                del content[name]
        return json.dumps(content, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that identify the recipe (SHA-256 of its JSON)."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Seconds:
    """Measured cost of one score, in seconds.

    Attributes:
        standalone: the sum over every pass and quantity that the metric needs, plus its own function.
        marginal: the metric's own function only, given the shared passes.
    """

    standalone: float
    marginal: float


@dataclass(frozen=True, slots=True)
class Score:
    """The outcome of one metric on one architecture under one recipe.

    Attributes:
        benchmark: the benchmark's name.
        space: search space and version, ``name@version``.
        architecture: the architecture's id.
        metric: the metric's name with its non-default parameters, e.g. ``swap(repeats=32)``.
        version: the metric's version.
        recipe: the recipe it was computed under.
        value: the score; None unless the outcome is ok.
        outcome: ok, undefined or failed.
        reason: why there is no value; empty when there is one.
        seconds: what it cost.
    """

    benchmark: str
    space: str
    architecture: str
    metric: str
    version: int
    recipe: Recipe
    value: float | None
    outcome: Outcome
    reason: str
    seconds: Seconds

    def __post_init__(self) -> None:
        if (self.value is not None) != (self.outcome is Outcome.OK):
            raise ValueError(f"a score has a value exactly when its outcome is ok, not {self!r}")


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """What training one architecture gave.

    Attributes:
        architecture: the architecture's id.
        dataset: the dataset trained on, e.g. ``cifar10`` or ``cifar10-valid``.
        split: the part the accuracy was measured on: ``train``, ``valid``, ``test`` or ``valid+test``.
        epochs: length of the training in epochs; -1 where the source says only "the last".
        seeds: training seeds; -1 stands for a published mean over seeds.
        values: accuracies in [0, 1], one for each seed.
        source: the table it comes from.
        kind: ``trained``, ``surrogate``, ``measured`` (on a device) or ``synthetic``.
    """

    architecture: str
    dataset: str
    split: str
    epochs: int
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    source: str
    kind: str

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return sum(self.values) / len(self.values)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic with its interval and the number of architectures it rests on.

    Attributes:
        value: the point estimate; NaN where the statistic does not exist.
        low: lower end of the 95 % interval; NaN where there is none.
        high: upper end.
        n: architectures that entered.
        n_undefined: architectures without a score (undefined or failed).
        method: how the interval was made, in a few words.
    """

    value: float
    low: float
    high: float
    n: int
    n_undefined: int
    method: str
