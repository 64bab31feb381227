"""Ground truth from an API object of the benchmark's authors that is in memory already."""

from typing import Any

import pandas as pd

from zcbench.datasets.nasbench201.record import rows_of
from zcbench.datasets.nats_record import version_of
from zcbench.datasets.tidy import TRUTH_COLUMNS
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import ZcbenchError


def from_api(api: Any, *, curves: bool = False) -> TruthTable:
    """Return the ground truth that a ``NASBench201API`` or a NATS-Bench topology object holds.

    Neither package is imported here: of the object only ``arch2infos_dict`` and the ``state_dict`` of its
    records are used.

    Args:
        api: an object of ``nas_201_api.NASBench201API`` or ``nats_bench.api_topology.NATStopology``.
        curves: also keep the epochs before the last.

    Raises:
        ZcbenchError: if it is another object, or holds no records.
    """
    cells = getattr(api, "arch2infos_dict", None)
    if not isinstance(cells, dict):
        raise ZcbenchError(f"a {type(api).__name__} is no API object of NAS-Bench-201 or NATS-Bench")
    if not cells:
        raise ZcbenchError(
            "the API object has no records in memory (NATS-Bench's fast mode reads them one by one): "
            "convert its folder with zcbench data convert"
        )
    rows = rows_of(source_of(api), curves=curves)
    name = f"the {type(api).__name__} object"
    found = [
        row
        for budgets in cells.values()
        for record in budgets.values()
        for row in rows.of(record.state_dict(), name)
    ]
    return TruthTable(pd.DataFrame(found, columns=list(TRUTH_COLUMNS)), name)


def source_of(api: object) -> str:
    """Return the source name of an API object: its benchmark, and the version in its file name."""
    file = str(getattr(api, "filename", None) or "")
    if type(api).__module__.startswith("nas_201_api"):
        return f"nasbench201-{version_of(file, 'v1_1')}"
    return f"nats-tss-{version_of(file, 'v1_0')}"
