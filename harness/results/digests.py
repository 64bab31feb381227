"""Digests by which results of several people are recognised as being about the same thing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

DIGITS = 9
"""Significant digits of a truth that count: a mean over training seeds may differ in its last bits."""


def of(content: object) -> str:
    """Return sixteen hexadecimal digits of SHA-256 of a value in canonical JSON (sorted keys, no spaces)."""
    return _shortened(json.dumps(content, sort_keys=True, separators=(",", ":")))


def of_architectures(architectures: Iterable[str]) -> str:
    """Identify a set of architectures by their ids; their order does not count."""
    return _shortened("\n".join(sorted(architectures)))


def of_truth(architectures: Sequence[str], values: Sequence[float]) -> str:
    """Identify a truth by its values, to nine significant digits, on these architectures."""
    return _shortened("\n".join(sorted(f"{a}\t{v:.{DIGITS}g}" for a, v in zip(architectures, values, strict=True))))


def of_scores(architectures: Sequence[str], scores: Sequence[Sequence[tuple[str, float]]]) -> str:
    """Identify scores bit for bit.

    Args:
        architectures: A ids.
        scores: for every architecture the outcome and the value for each initialisation seed; the value of an
            outcome that is not ok does not count.
    """
    lines = [
        "\t".join((a, *(v.hex() if outcome == "ok" else outcome for outcome, v in row)))
        for a, row in zip(architectures, scores, strict=True)
    ]
    return _shortened("\n".join(sorted(lines)))


def of_environments(environments: Iterable[Mapping[str, str]]) -> str:
    """Identify a set of machines, however many rows each of them computed."""
    return of(sorted(json.dumps(_machine(one), sort_keys=True) for one in environments))


def _machine(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name != "rows"}


def _shortened(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
