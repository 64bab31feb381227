"""From one record of the NAS-Bench-201 or NATS-Bench files to rows: the same for every form and both spaces.

A record is what the benchmarks' code calls the state dict of an ``ArchResults``: one architecture under one
training budget, with ``arch_str`` and ``all_results {(dataset, seed): trial}``. A trial has ``epochs`` (the
budget: 12 or 200 of the topology space, 1, 12 or 90 of the size space), ``train_acc1es {epoch: percent}``
and ``eval_acc1es {"set@epoch": percent}``, with epochs counted from 0.

====================  ===========================  ================
set                   dataset                      split
====================  ===========================  ================
``x-valid``           all                          ``valid``
``x-test``            cifar100, imagenet16_120     ``test``
``ori-test``          cifar10, cifar10-valid       ``test``
``ori-test``          cifar100, imagenet16_120     ``valid+test``
(train_acc1es)        all                          ``train``
====================  ===========================  ================
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from zcbench.datasets.conversion import Row
from zcbench.harness.errors import ZcbenchError

Record: TypeAlias = Mapping[str, Any]
"""One architecture under one training budget."""

DATASETS = {
    "cifar10": "cifar10",
    "cifar10-valid": "cifar10-valid",
    "cifar100": "cifar100",
    "ImageNet16-120": "imagenet16_120",
}
"""The benchmark's names of datasets, and ours."""

_SPLITS = {"x-valid": "valid", "x-test": "test"}
_ORIGINAL_TEST = {
    "cifar10": "test",
    "cifar10-valid": "test",
    "cifar100": "valid+test",  # the benchmark cut these original test sets into two halves
    "imagenet16_120": "valid+test",
}


_LIMIT = 2**31
"""What a table has room for."""


class Cell(NamedTuple):
    """All records of one architecture, as a reader yields them.

    Attributes:
        name: what to call their origin in an error.
        records: one for each training budget.
    """

    name: str
    records: list[Record]


@dataclass(frozen=True, slots=True)
class Rows:
    """Turns records into rows.

    Attributes:
        source: the source that the rows name.
        check: called with every architecture; raises for one that does not belong to the space.
        curves: whether the epochs before the last are kept too, as ``accuracy_curve_{budget}`` after
            that many epochs, so that they never mix with the accuracy of a finished training.
        ignored: collects datasets and sets that the table above does not have.
    """

    source: str
    check: Callable[[str], object]
    curves: bool = False
    ignored: set[str] = field(default_factory=set)

    def of(self, record: Record, name: str) -> Iterator[Row]:
        """Yield the rows of one record: the last epoch of every trial, and with curves all others.

        Args:
            record: the record.
            name: what to call its origin in an error.

        Raises:
            ZcbenchError: if it is not of the benchmark's form or not of the space.
        """
        try:
            self.check(record["arch_str"])
        except ZcbenchError as error:
            raise ZcbenchError(f"cannot use {name}: {error}") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise _unreadable(name, error) from error
        try:
            for (dataset, seed), trial in record["all_results"].items():
                if dataset in DATASETS:
                    yield from self._trial(record["arch_str"], DATASETS[dataset], int(seed), trial)
                else:
                    self.ignored.add(f"dataset {_shown(dataset)}")
        except Exception as error:  # a damaged record may be anything at any place
            raise _unreadable(name, error) from error

    def _trial(self, architecture: str, dataset: str, seed: int, trial: Record) -> Iterator[Row]:
        budget = int(trial["epochs"])
        if not (0 < budget < _LIMIT and 0 <= seed < _LIMIT):
            raise ValueError(f"{budget} epochs with seed {seed}")
        for split, epoch, percent in self._accuracies(dataset, trial):
            value = float(percent) / 100
            if not 0 <= value <= 1:
                raise ValueError(f"accuracy {percent} percent")
            final = epoch == budget - 1
            if final or self.curves:
                metric = "accuracy" if final else f"accuracy_curve_{budget}"
                yield (architecture, dataset, split, epoch + 1, seed, metric, value, self.source, "trained")

    def _accuracies(self, dataset: str, trial: Record) -> Iterator[tuple[str, int, float]]:
        """Yield split, epoch counted from 0 and percent."""
        for epoch, percent in (trial["train_acc1es"] or {}).items():
            yield "train", int(epoch), percent
        for key, percent in (trial["eval_acc1es"] or {}).items():
            part, _, epoch = key.partition("@")
            if part == "ori-test":
                yield _ORIGINAL_TEST[dataset], int(epoch), percent
            elif part in _SPLITS:
                yield _SPLITS[part], int(epoch), percent
            else:
                self.ignored.add(f"set {_shown(part)} of {dataset}")


def numbers_of(cells: Mapping[Any, Any], name: str) -> list[int]:
    """Return the numbers of the entries of a single file, in ascending order.

    Args:
        cells: the entries by number.
        name: what to call their origin in an error.

    Raises:
        ZcbenchError: if an entry has no number.
    """
    if not all(isinstance(number, int) and abs(number) < _LIMIT for number in cells):
        raise ZcbenchError(f"cannot use {name}: not every entry of its records has a number")
    return sorted(cells)


def version_of(name: str, otherwise: str) -> str:
    """Return the version in an official file's name, such as ``v1_1`` of ``NAS-Bench-201-v1_1-096897.pth``.

    Args:
        name: name of the file or folder.
        otherwise: the version to assume where the name has none.
    """
    found = re.search(r"-(v\d+_\d+)", name)
    return found.group(1) if found else otherwise


def _shown(found: object) -> str:
    text = str(found)
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= 40 else text[:37] + "..."


def _unreadable(name: str, error: Exception) -> ZcbenchError:
    why = " ".join(f"{type(error).__name__}: {error}".split())[:120]
    return ZcbenchError(f"cannot use {name}: it is not a record of NAS-Bench-201 or NATS-Bench ({why})")
