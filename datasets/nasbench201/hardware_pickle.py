"""Reader of the official file of HW-NAS-Bench, ``HW-NAS-Bench-v1_0.pickle``.

It is a pickle of ``{"nasbench201": {dataset: {"config": configurations, metric: values}}, "fbnet": ...}``;
configuration and value have the official number of the cell as their index, and a configuration names its
cell as ``arch_str``. That much is in the source of the benchmark's own API (``hw_nas_bench_api.py``), whose
``query_by_index`` and ``get_net_config`` index it so. The file itself was not at hand: configurations and
values are accepted as list, tuple, dict of numbers or numpy array, and any other name in the pickle is refused.
The space ``fbnet`` is left out.
"""

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zcbench.datasets import unpickle
from zcbench.datasets.nasbench201.genotype import parse_cell
from zcbench.datasets.nasbench201.hardware import METRICS, costs
from zcbench.datasets.nats_record import DATASETS, version_of
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import ZcbenchError

_GLOBALS: unpickle.Globals = {
    **unpickle.NUMPY_SCALARS,
    **unpickle.NUMPY_ARRAYS,
    ("collections", "OrderedDict"): OrderedDict,
}


def read(path: Path) -> tuple[TruthTable, tuple[str, ...]]:
    """Read the costs of the NAS-Bench-201 cells.

    Returns:
        The table, and what else the file holds of that space, in words.

    Raises:
        UnsafeFileError: if the file asks to run code.
        ZcbenchError: if it is damaged or of another form.
    """
    with path.open("rb") as stream:
        content = unpickle.load(stream, allowed=_GLOBALS, name=str(path))
    datasets = content.get("nasbench201") if isinstance(content, Mapping) else None
    if not isinstance(datasets, Mapping) or not datasets:
        raise ZcbenchError(f'cannot use {path}: it has no "nasbench201", so it is no file of HW-NAS-Bench')
    return unpickle.reading(str(path), lambda: _table(datasets, path))


def _table(datasets: Mapping[str, Any], path: Path) -> tuple[TruthTable, tuple[str, ...]]:
    source = f"hw-nas-bench-{version_of(path.name, 'v1_0')}"
    found: dict[str, dict[str, pd.Series]] = {}
    ignored = [f"dataset {name}" for name in datasets if name not in DATASETS]
    cells: list[str] = []
    for name, columns in datasets.items():
        if name not in DATASETS:
            continue
        own = [str(config["arch_str"]) for config in _sequence(columns["config"])]
        if cells and own != cells:
            raise ZcbenchError(f"cannot use {path}: the cells of {name} are others than those before")
        cells = own
        known = [metric for metric in METRICS if metric in columns]
        found[DATASETS[name]] = {metric: _values(columns[metric], len(cells)) for metric in known}
        ignored += [f"{key} of {name}" for key in columns if key not in ("config", *METRICS)]
    for cell in cells:
        parse_cell(cell)
    if len(set(cells)) < len(cells):
        raise ZcbenchError(f"cannot use {path}: a cell occurs twice")
    return costs(cells, found, source=source, name=str(path)), tuple(sorted(ignored))


def _sequence(found: Any) -> Any:
    if isinstance(found, unpickle.ArrayStandIn):
        return found.array
    if isinstance(found, Mapping):
        return [found[number] for number in range(len(found))]
    if isinstance(found, list | tuple):
        return found
    raise TypeError(f"{type(found).__name__} instead of a list")


def _values(found: Any, number: int) -> pd.Series:
    values = np.array([float(value) for value in _sequence(found)], np.float64)
    if len(values) != number:
        raise ValueError(f"{len(values)} values of {number} cells")
    return pd.Series(values)
