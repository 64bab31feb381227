"""Our scores against NASLib's recorded ones, on the same cells, images and batch size."""

from pathlib import Path

import pandas as pd
import pytest

from zcbench.datasets import images
from zcbench.datasets.nasbench201 import BENCHMARK
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine
from zcbench.harness.registry import select
from zcbench.harness.runner import run
from zcbench.harness.store import Store

TOLERANCES = {
    "nwot": 0.05, "params": 0.05, "synflow": 0.05, "snip": 0.05, "grad_norm": 0.05, "fisher": 0.05,
    "l2_norm": 0.05, "jacov": 0.10, "epe_nas": 0.10,
}  # fmt: skip
"""Allowed difference of Spearman with the accuracy, ours against NASLib's scores on the same cells."""


def reference(folder: Path) -> pd.DataFrame:
    table = pd.read_parquet(folder / "reference_scores" / "nasbench201_naslib.parquet")
    table = table[(table["dataset"] == "cifar10") & (table["score"] > -1e7)]  # -1e8 stands for a failure there
    return table.pivot(index="architecture", columns="metric", values="score")


def scored(folder: Path, cells: list[str], metrics: str, path: Path, workers: int) -> pd.DataFrame:
    space = BENCHMARK.space
    batch = images.load("cifar10", batch_size=32, folder=folder / "images")
    job = Job("nasbench201", space, [space.parse(c) for c in cells], select(metrics), batch,
              initialisation("pytorch"), 1)  # fmt: skip
    with Store(path) as store:
        run(job, store, Machine(workers=workers))
        return store.frame().pivot(index="architecture", columns="metric", values="value")


def test_values_have_the_size_of_naslibs(data_folder: Path, tmp_path: Path) -> None:
    """One draw of weights differs from another, but not by an order of magnitude: a wrong formula would."""
    theirs = reference(data_folder)
    cells = list(theirs.index[::120])
    ours = scored(data_folder, cells, "nwot,params,synflow,snip,grad_norm,fisher,l2_norm,jacov", tmp_path / "s", 1)
    ratio = (ours / theirs.loc[ours.index, ours.columns]).median()
    assert ratio["params"] == pytest.approx(1, abs=1e-12)
    for metric, tolerance in {"synflow": 0.02, "l2_norm": 0.01, "nwot": 0.03, "jacov": 0.05, "grad_norm": 0.3,
                              "snip": 0.3, "fisher": 0.6}.items():  # fmt: skip
        assert ratio[metric] == pytest.approx(1, abs=tolerance), metric
    rank = ours["synflow"].corr(theirs["synflow"].loc[ours.index], method="spearman")
    assert rank > 0.95


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_correlations_agree_with_naslibs_on_three_hundred_cells(data_folder: Path, tmp_path: Path) -> None:
    theirs = reference(data_folder)
    cells = list(theirs.sample(300, random_state=0).index)
    ours = scored(data_folder, cells, ",".join(TOLERANCES), tmp_path / "s", 2)
    truth = BENCHMARK.truth(source="robot", path=data_folder / "nasbench201.parquet").select("cifar10").mean
    for metric, tolerance in TOLERANCES.items():
        both = pd.DataFrame({"ours": ours[metric], "theirs": theirs[metric], "truth": truth}).dropna()
        rho = both.corr(method="spearman")["truth"]
        assert rho["ours"] == pytest.approx(rho["theirs"], abs=tolerance), metric
