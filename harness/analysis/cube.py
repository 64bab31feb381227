"""Places the rows of an export into arrays [A, M, S]."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

KEY = ["architecture", "metric", "init_seed"]


class Cube:
    """The rows of an export by name: A architectures, M metrics, S seeds.

    Args:
        rows: at most one for each architecture, metric and seed.
        architectures: A ids.
        metrics: M names.
        seeds: S initialisation seeds.
    """

    def __init__(self, rows: pd.DataFrame, architectures: list[str], metrics: list[str], seeds: list[int]) -> None:
        self.rows = rows
        self.shape = (len(architectures), len(metrics), len(seeds))
        axes = zip(KEY, (architectures, metrics, seeds), strict=True)
        self.at = tuple(pd.Index(names).get_indexer(rows[key]) for key, names in axes)

    def number(self, column: str) -> NDArray[np.float64]:
        """Return the column as float64[A, M, S], NaN where there is no row."""
        out = np.full(self.shape, np.nan)
        out[self.at] = pd.to_numeric(self.rows[column]).to_numpy(dtype=np.float64, na_value=np.nan)
        return out

    def text(self, column: str) -> NDArray[np.str_]:
        """Return the column as str[A, M, S], empty where there is no row."""
        cells = self.rows[column].fillna("").to_numpy(dtype=np.str_)
        out = np.full(self.shape, "", dtype=cells.dtype)
        out[self.at] = cells
        return out
