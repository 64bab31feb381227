"""The raw training logs of NAS-Bench-301: one ``results*.json`` for each training.

======================================  ===================================================================
in the file                             in the table
======================================  ===================================================================
``optimized_hyperparamater_config``     architecture (inputs of a node in order), source, epochs
``info[0].val_accuracy``                accuracy, split ``valid``; percent there
``test_accuracy``                       accuracy, split ``test``; percent there
``runtime``                             training_seconds, split ``valid`` like what it goes along with
``seed`` of the config, where it is     seed
======================================  ===================================================================

The spelling of the first key is the benchmark's own. Epochs are the length that was planned, the ``T_max``
of the learning-rate schedule; a log counts a few less. Where the files name no seed, the trainings of one
architecture are numbered 0, 1, ... in the order of their paths.

The benchmark's trainings have 32 channels and 8 cells. Trainings of other networks are no repeats of them
and get a source of their own, e.g. ``nasbench301-logs-channels50-cells20``.

Source: package nasbench301 0.3, ``surrogate_models/utils.py`` (``ConfigLoader``) and the record in
``surrogate_models/test``.
"""

from __future__ import annotations

import collections
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from zcbench.datasets import unpickle
from zcbench.datasets.conversion import Row
from zcbench.datasets.nasbench301.encoding import ARCHITECTURE, from_config
from zcbench.harness.errors import ZcbenchError

PATTERN = "results*.json"
SOURCE = "nasbench301-logs"
"""The source of the benchmark's own trainings."""

CONFIG = "optimized_hyperparamater_config"  # sic

_EPOCHS = "SimpleLearningrateSchedulerSelector:cosine_annealing:T_max"
_STANDARD = (32, 8)
_LARGEST = 16 << 20  # bytes of one log; the package's example has 3 kB


def rows(paths: Iterable[Path]) -> Iterator[Row]:
    """Yield the rows of some logs.

    Args:
        paths: the files, in the order in which repeats are numbered.

    Raises:
        ZcbenchError: if one of them is damaged or of another form.
    """
    repeats: collections.Counter[tuple[object, ...]] = collections.Counter()
    for path in paths:
        log = unpickle.reading(str(path), lambda path=path: _load(path))  # type: ignore[misc]
        try:
            yield from _of(log, repeats)
        except ZcbenchError as error:
            raise ZcbenchError(f"cannot use {path}: {error}") from error
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
            why = " ".join(f"{type(error).__name__}: {error}".split())[:120]
            raise ZcbenchError(f"cannot use {path}: it is no training log of NAS-Bench-301 ({why})") from error


def _load(path: Path) -> Mapping[str, Any]:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path.stat().st_size} bytes")
    log = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(log, dict):
        raise TypeError(f"{type(log).__name__} instead of an object")
    return log


def _of(log: Mapping[str, Any], repeats: collections.Counter[tuple[object, ...]]) -> Iterator[Row]:
    config, info = log[CONFIG], log["info"][0]
    if "cifar10" not in str(info.get("dataset_path", "CIFAR10")).lower():
        raise ZcbenchError(f"it was trained on {str(info['dataset_path'])[:60]}, and not on CIFAR-10")
    architecture = str(from_config(config))
    network = (_count(config[ARCHITECTURE + "init_channels"]), _count(config[ARCHITECTURE + "layers"]))
    source = SOURCE if network == _STANDARD else f"{SOURCE}-channels{network[0]}-cells{network[1]}"
    epochs = _count(config[_EPOCHS])
    training = (architecture, source, epochs)
    seed = _count(config["seed"], low=0) if "seed" in config else repeats[training]
    repeats[training] += 1
    tail = (source, "trained")
    for split, percent in (("valid", info["val_accuracy"]), ("test", log["test_accuracy"])):
        value = float(percent) / 100
        if not 0 <= value <= 1:
            raise ZcbenchError(f"a {split} accuracy of {percent} percent")
        yield (architecture, "cifar10", split, epochs, seed, "accuracy", value, *tail)
    seconds = float(log["runtime"])
    if not 0 < seconds < float("inf"):
        raise ZcbenchError(f"a runtime of {seconds} seconds")
    yield (architecture, "cifar10", "valid", epochs, seed, "training_seconds", seconds, *tail)


def _count(value: object, *, low: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value < 2**31:
        raise ValueError(f"{str(value)[:20]} where a whole number must be")
    return value
