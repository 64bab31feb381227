"""Where stored scores were computed, metric by metric."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from zcbench.harness.store import Store


class StoreOfMachines(Store):
    """A store that also says where the scores of single metrics were computed."""

    def machines(
        self, benchmark: str, metrics: Mapping[str, int], recipes: Iterable[str]
    ) -> tuple[dict[str, str], ...]:
        """Return the environments of some scores, the one with most rows first, each with its number of ``rows``.

        Args:
            benchmark: the benchmark's name.
            metrics: versions by name with parameters.
            recipes: digests.
        """
        query = (
            "SELECT e.environment, COUNT(*) FROM scores s JOIN environments e ON e.digest = s.environment "
            "JOIN json_each(?) m ON m.key = s.metric AND m.value = s.version "
            "WHERE s.benchmark = ? AND s.recipe IN (SELECT value FROM json_each(?)) "
            "GROUP BY e.digest ORDER BY COUNT(*) DESC, e.digest"
        )
        given = (json.dumps(dict(metrics)), benchmark, json.dumps(list(recipes)))
        with self._explained(), self._intact():
            rows = self._connection.execute(query, given).fetchall()
            return tuple({**json.loads(text), "rows": str(n)} for text, n in rows)
