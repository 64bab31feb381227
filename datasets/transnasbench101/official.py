"""From the official file ``transnas-bench_v10141024.pth`` to rows.

The file is a torch-pickled dict; what is read of it::

    {"data": {"micro": {architecture: {task: trial}}, "macro": {architecture: {task: trial}}}}
    trial = {"total_epochs": E, "model_info": {name: number}, "metrics": {name: [E numbers]}}

====================================  ================================  ==========================
name in ``metrics``, after the split  tasks                             metric of the row
====================================  ================================  ==========================
``top1``, ``top5`` (percent)          class_scene, class_object, jigsaw ``accuracy``, ``accuracy_top5``
``acc``, ``mIoU`` (percent)           segmentsemantic                   ``accuracy``, ``miou``
``neg_loss``                          room_layout                       ``negative_loss``
``ssim``                              normal, autoencoder               ``ssim``
====================================  ================================  ==========================

The splits ``train``, ``valid`` and ``test`` are kept under their names. A value of the last epoch is a row of
E epochs. With curves, the first metric of each task has rows of the epochs before, as ``accuracy_curve_E``,
``negative_loss_curve_E`` and ``ssim_curve_E``. Losses, times and ``model_info`` (numbers of parameters, operations
and seconds) are left out.

Each architecture was trained once for each task. The file does not say with which seed (the code of the
benchmark has 666), so rows have the seed -1.

The layout is that of the API in the repository of the benchmark; the official file itself was not at hand.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from zcbench.datasets.conversion import Row
from zcbench.datasets.torch_file import load
from zcbench.datasets.transnasbench101.tasks import TASKS
from zcbench.harness.errors import ZcbenchError

Trial: TypeAlias = Mapping[str, Any]
"""One architecture trained for one task."""

K = TypeVar("K")

SPLITS = ("train", "valid", "test")
UNKNOWN_SEED = -1


@dataclass(frozen=True, slots=True)
class Measured:
    """One of the values that the file has of every epoch.

    Attributes:
        suffix: its name in the file, after the split.
        metric: its name in a row.
        scale: what it is divided by to be a row's value.
        low: smallest possible value of a row.
        high: largest possible value of a row.
    """

    suffix: str
    metric: str
    scale: float
    low: float
    high: float


_CLASSES = (Measured("top1", "accuracy", 100, 0, 1), Measured("top5", "accuracy_top5", 100, 0, 1))
_IMAGES = (Measured("ssim", "ssim", 1, -1, 1),)

MEASURED: Mapping[str, tuple[Measured, ...]] = MappingProxyType(
    {
        "class_scene": _CLASSES,
        "class_object": _CLASSES,
        "room_layout": (Measured("neg_loss", "negative_loss", 1, -math.inf, 0),),
        "jigsaw": _CLASSES,
        "segmentsemantic": (Measured("acc", "accuracy", 100, 0, 1), Measured("mIoU", "miou", 100, 0, 1)),
        "normal": _IMAGES,
        "autoencoder": _IMAGES,
    }
)
"""By task; the first is what its architectures are judged by."""


def read_file(path: Path, space: str) -> Iterator[tuple[str, Mapping[str, Trial]]]:
    """Yield every architecture of one space with its trials by task.

    The file is loaded as a whole, without torch: it may hold plain containers and numbers.

    Args:
        path: the official file.
        space: ``micro`` or ``macro``.

    Raises:
        UnsafeFileError: if it asks to run code.
        ZcbenchError: if it is damaged or of another form.
    """
    content = load(path)
    spaces = content.get("data") if isinstance(content, Mapping) else None
    if not isinstance(spaces, Mapping):
        raise ZcbenchError(f'cannot use {path}: it has no "data", so it is no file of TransNAS-Bench-101')
    architectures = spaces.get(space)
    if not isinstance(architectures, Mapping) or not architectures:
        raise ZcbenchError(f'cannot use {path}: its "data" has no architectures of "{space}"')
    for architecture, tasks in architectures.items():
        if not isinstance(architecture, str) or not isinstance(tasks, Mapping):
            raise ZcbenchError(f"cannot use {path}: not every architecture of {space!r} is a dict of tasks")
        yield architecture, tasks


@dataclass(frozen=True, slots=True)
class Rows:
    """Turns trials into rows.

    Attributes:
        source: the source that the rows name.
        check: called with every architecture; raises for one that does not belong to the space.
        curves: whether the epochs before the last are kept too.
        ignored: collects what is left out and not named above.
    """

    source: str
    check: Callable[[str], object]
    curves: bool = False
    ignored: set[str] = field(default_factory=set)

    def of(self, architecture: str, tasks: Mapping[str, Trial], name: str) -> Iterator[Row]:
        """Yield the rows of one architecture.

        Args:
            architecture: its string.
            tasks: its trials.
            name: what to call their origin in an error.

        Raises:
            ZcbenchError: if they are not of the benchmark's form or not of the space.
        """
        try:
            self.check(architecture)
        except ZcbenchError as error:
            raise ZcbenchError(f"cannot use {name}: {error}") from error
        for task, trial in tasks.items():
            if task not in TASKS:
                self.ignored.add(f"task {str(task)[:40]!r}")
                continue
            try:
                yield from self._trial(architecture, task, trial)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                why = " ".join(f"{type(error).__name__}: {error}".split())[:120]
                raise ZcbenchError(f"cannot use {name}: {architecture} has no such record of {task} ({why})") from error

    def _trial(self, architecture: str, task: str, trial: Trial) -> Iterator[Row]:
        metrics = _a(dict, _a(dict, trial)["metrics"])
        epochs = _whole(trial["total_epochs"])
        found = 0
        for one in MEASURED[task]:
            for split in SPLITS:
                name = f"{split}_{one.suffix}"
                if name not in metrics:
                    continue
                found += 1
                values = _a(list, metrics[name])
                if len(values) != epochs:
                    raise ValueError(f"{name} has {len(values)} values of {epochs} epochs")
                first = 0 if self.curves and one is MEASURED[task][0] else epochs - 1
                for epoch in range(first, epochs):
                    value = self._value(values[epoch], one)
                    metric = one.metric if epoch == epochs - 1 else f"{one.metric}_curve_{epochs}"
                    if value is not None:
                        yield self._row(architecture, task, split, epoch + 1, metric, value)
        if not found:
            raise ValueError(f"it has no {MEASURED[task][0].suffix}")

    def _value(self, recorded: object, one: Measured) -> float | None:
        value = _number(recorded) / one.scale
        if not math.isfinite(value):
            self.ignored.add(f"{one.metric} that is no finite number")
            return None
        if not one.low <= value <= one.high:
            raise ValueError(f"{one.suffix} of {recorded}")
        return value

    def _row(self, architecture: str, task: str, split: str, epochs: int, metric: str, value: float) -> Row:
        return (architecture, task, split, epochs, UNKNOWN_SEED, metric, value, self.source, "trained")


def _a(kind: type[K], value: object) -> K:
    """Return the value, refusing one of another kind: a tensor, for one, answers to much that a dict does."""
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} instead of a {kind.__name__}")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{type(value).__name__} instead of a number")
    return float(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1_000_000:
        raise ValueError(f"total_epochs {str(value)[:40]}")
    return value
