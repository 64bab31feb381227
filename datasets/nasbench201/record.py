"""Which records are of the topology space, and which space the others are of."""

import re

from zcbench.datasets.nasbench201.genotype import parse_cell
from zcbench.datasets.nats_record import Rows
from zcbench.harness.errors import ZcbenchError

_SIZES = re.compile(r"\d+(:\d+)+")
"""Numbers of channels, as NATS-Bench prints an architecture of its size search space."""


def rows_of(source: str, *, curves: bool) -> Rows:
    """Return what turns records of the topology space into rows.

    Args:
        source: the source that the rows name.
        curves: whether the epochs before the last are kept too.
    """
    return Rows(source, check_cell, curves)


def check_cell(text: str) -> None:
    """Refuse what is no cell of the topology space.

    Raises:
        ZcbenchError: with what is wrong; of the other space of NATS-Bench it is the whole file.
    """
    try:
        parse_cell(text)
    except ZcbenchError as error:
        if not _SIZES.fullmatch(text):
            raise
        raise ZcbenchError(
            f'"{text}" is an architecture of the size search space (NATS-sss), and only the topology search '
            "space (NATS-tss) belongs to nasbench201: convert it with zcbench data convert natsbench_size"
        ) from error
