"""The embedded ground truth: trained CIFAR-10 accuracies of all 15,625 cells, from AnalogNAS-Bench.

The file ``analognasbench/data.anb`` of the installed distribution ``analog-nasbench`` is a pickle of
``{6-tuple: Architecture}``. It is read without importing the package, and with a restricted unpickler.
A key gives the operations of the edges 0-1, 0-2, 0-3, 1-2, 1-3, 2-3 (another order than the printed
cell's) as 0 skip_connect, 1 none, 2 nor_conv_3x3, 3 nor_conv_1x1, 4 avg_pool_3x3. Accuracies are
percent there, fractions here. The networks were trained; analog noise and drift were simulated.

==============================  ==================================================================
dataset                         what was evaluated
==============================  ==================================================================
``cifar10``                     the trained network (``baseline_accuracy``)
``cifar10_ptq``, ``_qat``       after post-training quantisation, after quantisation-aware training
``cifar10_noisy``               the trained network with analog noise
``cifar10_analog``              after hardware-aware training, on simulated analog hardware
``cifar10_drift_{s}``           the trained network, s seconds after programming (``baseline_drift_s``)
``cifar10_analog_drift_{s}``    the hardware-aware network, s seconds later (``analog_drift_s``)
==============================  ==================================================================

The package states neither the split nor the length or number of the trainings; the values are taken for
test accuracies after the last epoch (epochs -1, seed -1), since ``cifar10`` agrees with the official test
accuracy (Spearman .990 over all cells; median difference .003). The uncertainties of the drift values
are not kept.

What is in the data (version 0.1.3): no empty, zero or unreadable values; all lie in 7.97..94.07 percent,
341 cells are at exactly 10 percent digitally, just the disconnected ones. One value is implausible and
left as it is: ``analog_drift_60`` of the all-skip_connect cell is 87.5 %, though the cell has 60.8 %
digitally, 57.5 % analog and 53.8 % after an hour.
"""

import importlib.metadata
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zcbench.datasets import unpickle
from zcbench.datasets.nasbench201.genotype import EDGES, print_cell
from zcbench.datasets.truth import Remarks, TruthTable
from zcbench.harness.errors import MissingFileError, ZcbenchError

SOURCE = "analognasbench"
DRIFT_SECONDS = (60, 3_600, 86_400, 2_592_000)

_FIELDS = {
    "cifar10": "baseline_accuracy",
    "cifar10_ptq": "ptq_accuracy",
    "cifar10_qat": "qat_accuracy",
    "cifar10_noisy": "noisy_accuracy",
    "cifar10_analog": "analog_accuracy",
    **{f"cifar10_drift_{seconds}": f"baseline_drift_{seconds}" for seconds in DRIFT_SECONDS},
    **{f"cifar10_analog_drift_{seconds}": f"analog_drift_{seconds}" for seconds in DRIFT_SECONDS},
}

DATASETS = tuple(_FIELDS)
"""Targets of the table."""

_DRIFTED = "simulated analog hardware, {} seconds after programming"
_CONDITIONS = {
    "cifar10_ptq": "after simulated post-training quantisation",
    "cifar10_qat": "after quantisation-aware training, under simulated quantisation",
    "cifar10_noisy": "under simulated analog noise",
    "cifar10_analog": "after hardware-aware training, on simulated analog hardware",
    **{f"cifar10_drift_{s}": "on " + _DRIFTED.format(s) for s in DRIFT_SECONDS},
    **{
        f"cifar10_analog_drift_{s}": "after hardware-aware training, on " + _DRIFTED.format(s)
        for s in DRIFT_SECONDS
    },
}

_UNSTATED = "split not stated, taken for test"

REMARKS = Remarks(
    seeds={SOURCE: "seeds not stated"},
    notes={
        (SOURCE, name): f"measured {_CONDITIONS[name]}; {_UNSTATED}" if name in _CONDITIONS else _UNSTATED
        for name in DATASETS
    },
)
"""What the package does not state, and under which simulated conditions its variants were measured."""

_OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
_KEY_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))


class _Record(metaclass=unpickle.Fixed):
    """Stands for the package's Architecture: the pickle fills in its fields."""


class _Drift(metaclass=unpickle.Fixed):
    """Stands for the package's DriftMeasurement."""

    value: float


_GLOBALS: unpickle.Globals = {
    ("analognasbench.data", "Architecture"): _Record,
    ("analognasbench.data", "DriftMeasurement"): _Drift,
}


def data_file() -> Path:
    """Return the path of the installed file.

    Raises:
        MissingFileError: if the distribution or its file is not there.
    """
    try:
        distribution = importlib.metadata.distribution("analog-nasbench")
    except importlib.metadata.PackageNotFoundError:
        raise MissingFileError(
            "the embedded accuracies need the package analog-nasbench: pip install analog-nasbench"
        ) from None
    path = Path(str(distribution.locate_file("analognasbench/data.anb")))
    if not path.is_file():
        raise MissingFileError(f"there is no file {path}: install analog-nasbench anew")
    return path


def read(path: Path | None = None) -> TruthTable:
    """Read the table; by default the installed one. Takes about a second.

    Args:
        path: a ``data.anb`` elsewhere.

    Raises:
        MissingFileError: if it is not there.
        UnsafeFileError: if it asks for anything but the two classes of the package.
        ZcbenchError: if it is damaged.
    """
    path = path or data_file()
    with path.open("rb") as stream:
        content = unpickle.load(stream, allowed=_GLOBALS, name=str(path), installed=path == data_file())
    if not isinstance(content, dict) or not content:
        raise ZcbenchError(f"cannot read {path}: it holds no accuracies of AnalogNAS-Bench")
    names, values = unpickle.reading(str(path), lambda: _columns(content))
    rows = pd.DataFrame(
        {
            "architecture": pd.Categorical(np.repeat(names, len(_FIELDS)), categories=names),
            "dataset": pd.Categorical(np.tile(DATASETS, len(names)), categories=DATASETS),
            "value": values.ravel() / 100,
        }
    ).assign(split="test", epochs=-1, seed=-1, metric="accuracy", source=SOURCE, kind="trained")
    return TruthTable(rows, str(path), remarks=REMARKS)


def _columns(content: dict[tuple[int, ...], _Record]) -> tuple[list[str], NDArray[np.float64]]:
    """Return the cells and their percentages [A, datasets]."""
    names = [print_cell(_genotype(key)) for key in content]
    values = np.empty((len(content), len(_FIELDS)))
    for row, record in zip(values, content.values(), strict=True):
        fields = vars(record)
        for column, field in enumerate(_FIELDS.values()):
            value = fields[field]
            row[column] = value.value if isinstance(value, _Drift) else value
    return names, values


def _genotype(key: tuple[int, ...]) -> list[str]:
    if len(key) != len(_KEY_EDGES) or not set(key) <= set(range(len(_OPERATIONS))):
        raise ValueError(f"{key} is not the key of a cell")
    operation = dict(zip(_KEY_EDGES, (_OPERATIONS[code] for code in key), strict=True))
    return [operation[edge] for edge in EDGES]
