"""The size search space of NATS-Bench: one cell, and how many channels each of five layers has.

An architecture is ``c:c:c:c:c``, each c one of 8, 16, ..., 64, so that there are 8^5 = 32,768 candidates. The
cell is the best of the topology space, `CELL`, in every one of them.

Source: Dong, Liu, Musial and Gabrys, "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and
Size", IEEE TPAMI 2021, section 3.1.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from zcbench.harness.errors import ZcbenchError
from zcbench.harness.space import SearchSpace
from zcbench.harness.types import Architecture

if TYPE_CHECKING:
    from torch import nn

Genotype: TypeAlias = tuple[int, int, int, int, int]

CHANNELS = tuple(range(8, 65, 8))
"""How many channels a layer may have."""

LAYERS = 5
"""Layers whose channels are chosen: a cell, a reduction, a cell, a reduction, a cell."""

CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
"""The cell of all candidates, in the notation of NAS-Bench-201."""


def parse_sizes(text: str) -> Genotype:
    """Return the numbers of channels of a printed architecture.

    Only the one canonical spelling is accepted, so that every accepted string prints unchanged.

    Raises:
        ZcbenchError: with the first thing that is wrong with the string.
    """
    parts = text.split(":")
    if len(parts) != LAYERS:
        raise _malformed(text, f'it has {len(parts)} parts between ":" instead of {LAYERS}')
    known = {str(channels): channels for channels in CHANNELS}
    for part in parts:
        if part not in known:
            shown = part if len(part) <= 20 else part[:17] + "..."
            raise _malformed(text, f"{shown!r} is none of {', '.join(known)}")
    first, second, third, fourth, fifth = (known[part] for part in parts)
    return first, second, third, fourth, fifth


def _malformed(text: str, reason: str) -> ZcbenchError:
    shown = repr(text if len(text) <= 120 else text[:117] + "...")
    return ZcbenchError(f"malformed architecture of the NATS-Bench size space {shown}: {reason}. Form: c:c:c:c:c")


@dataclass(frozen=True, slots=True)
class Space(SearchSpace):
    """The size search space of NATS-Bench; see `zcbench.harness.space.SearchSpace`.

    Attributes:
        name: the name of the space.
        version: version of the built network.
    """

    name: str = "natsbench_size"
    version: int = 1

    def __len__(self) -> int:
        return int(len(CHANNELS) ** LAYERS)

    def __iter__(self) -> Iterator[Architecture]:
        """Yield every architecture in the official order: counted up like digits, the last layer fastest."""
        return (self._architecture(sizes) for sizes in itertools.product(CHANNELS, repeat=LAYERS))

    def _architecture(self, sizes: tuple[int, ...]) -> Architecture:
        return self.parse(":".join(map(str, sizes)))

    def parse(self, text: str) -> Architecture:
        """Parse a printed architecture; the result prints unchanged.

        Raises:
            ZcbenchError: with what is wrong with the string.
        """
        return Architecture(self.name, text, parse_sizes(text))

    def unique_id(self, architecture: Architecture) -> str:
        """Return the string itself: no two candidates have the same network."""
        return architecture.id

    def build(self, architecture: Architecture, classes: int) -> nn.Module:
        """Build the benchmark's network on the meta device; see `zcbench.datasets.natsbench_size.network`.

        Args:
            architecture: the candidate.
            classes: number of classes of the dataset.

        Raises:
            ZcbenchError: if classes is less than 1.
        """
        from zcbench.datasets.natsbench_size.network import build  # torch only when a network is needed

        if classes < 1:
            raise ZcbenchError(f"a network needs at least one class, not {classes}")
        return build(parse_sizes(architecture.id), classes)
