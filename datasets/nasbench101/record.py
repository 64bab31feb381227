"""From the payload of one record of the official files to what one training of one cell gave.

A payload is a JSON list ``[module_hash, epochs, adjacency, operations, metrics]``: the hash of
`zcbench.datasets.nasbench101.genotype.module_hash`, the length of the training, V x V digits, V names joined
by commas, and the base64 form of a protocol buffer (proto2)::

    ModelMetrics:   1 evaluation_data (EvaluationData, repeated)   2 trainable_parameters (int32)
                    3 total_time (double)
    EvaluationData: 1 current_epoch  2 training_time  3 train_accuracy  4 validation_accuracy
                    5 test_accuracy (doubles)         6 checkpoint_path (string)

The three evaluations are those before the first step, halfway through the training and at its end.

Source: ``nasbench/api.py`` and ``nasbench/lib/model_metrics.proto`` of google-research/nasbench.
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

T = TypeVar("T", int, float, bytes)

MOST_EPOCHS = 10_000
"""Length of a training beyond which a record is not believed; the benchmark's longest has 108 epochs."""

_HASH = re.compile(r"[0-9a-f]{32}")
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5  # wire types
_FIVE_DOUBLES = struct.Struct("<xdxdxdxdxd")
_FIVE_TAGS = bytes(number << 3 | _DOUBLE for number in range(1, 6))


class Evaluation(NamedTuple):
    """One evaluation of a network during its training.

    Attributes:
        epoch: how far the training was.
        seconds: how long it had taken.
        train: accuracy on training images, a fraction.
        valid: accuracy on validation images.
        test: accuracy on test images.
    """

    epoch: float
    seconds: float
    train: float
    valid: float
    test: float


class Record(NamedTuple):
    """One training of one cell.

    Attributes:
        module_hash: the benchmark's hash of the cell.
        epochs: length of the training.
        architecture: the cell's string, unchecked.
        halfway: evaluation after half of the epochs.
        final: evaluation at the end.
        trainable_parameters: number of trainable parameters, as the benchmark counted them.
    """

    module_hash: str
    epochs: int
    architecture: str
    halfway: Evaluation
    final: Evaluation
    trainable_parameters: int


def decode(payload: bytes) -> Record:
    """Decode a payload; whether its architecture is one is not looked at.

    Raises:
        ValueError: if it is of another form, or a value is out of bounds.
        RecursionError: if it is JSON nested a thousand times.
    """
    row = json.loads(payload.decode("utf-8"))
    if not isinstance(row, list) or [type(value) for value in row] != [str, int, str, str, str]:
        raise ValueError("not a list of hash, epochs, adjacency, operations and metrics")
    module_hash, epochs, adjacency, operations, metrics = row
    if not _HASH.fullmatch(module_hash):
        raise ValueError("the hash is not 32 hexadecimal digits")
    if not 1 <= epochs <= MOST_EPOCHS:
        raise ValueError(f"the training has {epochs} epochs instead of 1 to {MOST_EPOCHS}")
    evaluations, parameters = _metrics(base64.b64decode(metrics, validate=True))
    if len(evaluations) != 3:
        raise ValueError(f"{len(evaluations)} evaluations instead of 3")
    _, halfway, final = evaluations
    return Record(module_hash, epochs, f"{operations}|{adjacency}", halfway, final, parameters)


def _metrics(data: bytes) -> tuple[list[Evaluation], int]:
    evaluations = []
    parameters = 0
    for number, value in _fields(data):
        if number == 1:
            evaluations.append(_evaluation(_typed(value, bytes, "evaluation_data")))
        elif number == 2:
            parameters = _typed(value, int, "trainable_parameters")
    if not 0 < parameters < 1 << 31:
        raise ValueError(f"{parameters} trainable parameters")
    return evaluations, parameters


def _evaluation(data: bytes) -> Evaluation:
    if len(data) == _FIVE_DOUBLES.size and data[::9] == _FIVE_TAGS:  # how the official files have it
        return _checked(Evaluation(*_FIVE_DOUBLES.unpack(data)))
    values = dict.fromkeys(range(1, 6), math.nan)
    for number, value in _fields(data):
        if number in values:
            values[number] = _typed(value, float, Evaluation._fields[number - 1])
    return _checked(Evaluation(*values.values()))


def _checked(evaluation: Evaluation) -> Evaluation:
    _, seconds, train, valid, test = evaluation
    if not 0 <= seconds < math.inf:
        raise ValueError(f"a training time of {seconds} seconds")
    if not (0 <= train <= 1 and 0 <= valid <= 1 and 0 <= test <= 1):  # NaN is refused too
        raise ValueError(f"accuracies of {train}, {valid} and {test}")
    return evaluation


def _typed(value: object, kind: type[T], name: str) -> T:
    if not isinstance(value, kind):
        raise ValueError(f"{name} is of another type")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Yield number and value of every field of a protocol buffer, in the order in which they are stored."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield tag >> 3, value
        elif kind == _DOUBLE:
            yield tag >> 3, struct.unpack("<d", _slice(data, at, 8))[0]
            at += 8
        elif kind == _BYTES:
            length, at = _varint(data, at)
            yield tag >> 3, _slice(data, at, length)
            at += length
        elif kind == _FLOAT:
            yield tag >> 3, struct.unpack("<f", _slice(data, at, 4))[0]
            at += 4
        else:
            raise ValueError(f"wire type {kind} in the metrics")


def _slice(data: bytes, at: int, length: int) -> bytes:
    if at + length > len(data):
        raise ValueError("the metrics are cut off")
    return data[at : at + length]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return an integer of 7 bits a byte, the lowest first, and where the next field begins."""
    value = 0
    for place, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("the metrics are cut off")
