"""What a ground-truth metric is: its unit, and whether more of it is better."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

FRACTION = "fraction"

CURVE = "_curve_"
"""What the names of values before the last epoch have in the middle: ``{metric}_curve_{budget}``."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A value that a ground-truth table has for an architecture.

    Attributes:
        unit: ``fraction`` of the images or pixels, ``s``, ``ms``, ``mJ``; empty for a number without a unit.
        higher_is_better: whether a larger value is a better one.
        words: what it is, in a few words.
    """

    unit: str
    higher_is_better: bool
    words: str


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "accuracy": Measure(FRACTION, True, "part of the images (or pixels) that are classified correctly"),
        "ssim": Measure("", True, "structural similarity of the predicted image and the true one, at most 1"),
        "miou": Measure(FRACTION, True, "mean over the classes of the intersection over union of the pixels"),
        "negative_loss": Measure("", True, "loss of the task with its sign changed, at most 0"),
        "loss": Measure("", False, "loss of the task"),
        "training_seconds": Measure("s", False, "time that the training took"),
        "latency": Measure("ms", False, "time for one image on the device that the name begins with"),
        "energy": Measure("mJ", False, "energy for one image on the device that the name begins with"),
        "arithmetic_intensity": Measure(
            "", True, "operations for each access to memory on the device that the name begins with"
        ),
    }
)
"""Known measures. A device's latency, energy or arithmetic intensity is named ``{device}_latency`` and so on;
``accuracy_halfway`` and ``accuracy_top5`` are accuracies, and so is ``accuracy_curve_{budget}``."""

UNKNOWN = Measure("", True, "a value whose unit and direction nobody stated; taken as better when larger")
"""What a metric counts as that is none of `MEASURES`."""


def measure(metric: str) -> Measure:
    """Return what a metric of a ground-truth table is; `UNKNOWN` for one that is none of `MEASURES`."""
    if metric in MEASURES:
        return MEASURES[metric]
    if metric.startswith("accuracy_"):
        return MEASURES["accuracy"]
    for name in ("latency", "energy", "arithmetic_intensity"):
        if metric.endswith(f"_{name}"):
            return MEASURES[name]
    return UNKNOWN


def beside(metric: str) -> bool:
    """Say whether a metric only goes along with the one that an architecture is judged by.

    Those are values in the middle of a training, second opinions on its result, and what the training cost.
    """
    return metric in ("accuracy_halfway", "accuracy_top5", "miou", "training_seconds") or is_curve(metric)


def is_curve(metric: str) -> bool:
    """Say whether a metric is what a training had reached before its end: ``accuracy_curve_200``, ``ssim_curve_30``."""
    return CURVE in metric
