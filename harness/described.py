"""What a store knows about the metrics that were scored into it, so that it can be read without their code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zcbench.harness.metric import Metric


@dataclass(frozen=True, slots=True)
class Described:
    """One version of a metric.

    Attributes:
        name: without parameters.
        version: the version.
        higher_is_better: whether a high score is meant to predict a high accuracy.
        cite: the citation.
        caveats: what a user must know before trusting the number.
        own_passes: what it takes besides shared passes, in words.
        code: digest of its code, see ``source_file.code_digest``; empty for a metric that comes with zcbench.
    """

    name: str
    version: int
    higher_is_better: bool
    cite: str = ""
    caveats: str = ""
    own_passes: str = ""
    code: str = ""

    @classmethod
    def of(cls, metric: Metric) -> Described:
        """Describe a metric that is here."""
        from zcbench.harness.metric_file import digest_of  # imports torch, which a reader of a store does not need

        return cls(
            metric.name, metric.version, metric.higher_is_better, metric.cite, metric.caveats, metric.own_passes,
            digest_of(metric),
        )  # fmt: skip

    def to_json(self) -> str:
        """Return everything but name and version as canonical JSON."""
        content = asdict(self)
        del content["name"], content["version"]
        return json.dumps(content, sort_keys=True)

    @classmethod
    def from_json(cls, name: str, version: int, text: str) -> Described:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: if it is no JSON.
            TypeError: for other content.
        """
        found = cls(name, version, **json.loads(text))
        for one in fields(cls):
            if (kind := type(getattr(found, one.name)).__name__) != one.type:
                raise TypeError(f"{one.name} of a metric holds {kind}")
        return found


def directions(known: Mapping[tuple[str, int], Described]) -> dict[str, bool]:
    """Return whether high scores are meant to be good, by name; of several versions that of the highest."""
    return {name: known[name, version].higher_is_better for name, version in sorted(known)}
