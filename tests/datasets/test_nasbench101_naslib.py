"""Our scores against those that NASLib recorded, on the same cells, images of the same kind and batch size."""

from pathlib import Path

import pandas as pd
import pytest

from zcbench.datasets import images
from zcbench.datasets.nasbench101 import BENCHMARK
from zcbench.harness.initialise import Initialisation, initialisation
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine
from zcbench.harness.registry import select
from zcbench.harness.runner import run
from zcbench.harness.store import Store

TOLERANCES = {
    "params": 1e-9, "flops": 0.02, "synflow": 0.10, "snip": 0.10, "grad_norm": 0.10, "fisher": 0.10,
    "l2_norm": 0.15, "jacov": 0.30,
}  # fmt: skip
"""Allowed difference of Spearman with the accuracy, ours against NASLib's scores on the same cells.

jacov varies with the mini-batch: the same networks on three of ours agree in rank .45 to .61, and the difference to
NASLib's has a bootstrap standard error of about .11 on 100 cells. NASLib drew a new mini-batch for each cell; drawn
like that, with crops and flips, ours came out at -.41 on these cells where NASLib's are at -.37, instead of -.56.
Over all 500 cells ours is -.507 and NASLib's -.499; of samples of 100 cells, 78 % have a difference below .10.
l2_norm follows the scale of the initial weights, which was another one (see below).
"""


def reference(folder: Path) -> pd.DataFrame:
    table = pd.read_parquet(folder / "reference_scores" / "nasbench101_naslib.parquet")
    return table.pivot(index="architecture", columns="metric", values="score")


def scored(folder: Path, cells: list[str], metrics: str, path: Path, init: Initialisation) -> pd.DataFrame:
    space = BENCHMARK.space
    batch = images.load("cifar10", batch_size=32, folder=folder / "images")
    job = Job("nasbench101", space, [space.parse(c) for c in cells], select(metrics), batch, init, 1)
    with Store(path) as store:
        run(job, store, Machine(workers=1))
        return store.frame().pivot(index="architecture", columns="metric", values="value")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_values_have_the_size_of_naslibs_with_its_initialisation(data_folder: Path, tmp_path: Path) -> None:
    """A wrong formula or a wrong network would be off by more than one draw of weights from another."""
    theirs = reference(data_folder)
    cells = list(theirs.index[::25])
    metrics = "params,synflow,snip,grad_norm,fisher,l2_norm,jacov"
    ours = scored(data_folder, cells, metrics, tmp_path / "s", initialisation("fan_out"))
    ratio = (ours / theirs.loc[ours.index, ours.columns]).median()
    assert ratio["params"] == pytest.approx(1, abs=1e-12)
    for metric, tolerance in {"synflow": 0.02, "l2_norm": 0.005, "jacov": 0.005, "grad_norm": 0.2, "snip": 0.2,
                              "fisher": 0.4}.items():  # fmt: skip
        assert ratio[metric] == pytest.approx(1, abs=tolerance), metric


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_correlations_agree_with_naslibs_on_a_hundred_cells(data_folder: Path, tmp_path: Path) -> None:
    theirs = reference(data_folder)
    cells = list(theirs.sample(100, random_state=0).index)
    ours = scored(data_folder, cells, ",".join(TOLERANCES), tmp_path / "s", initialisation("pytorch"))
    table = BENCHMARK.truth(path=data_folder / "nasbench101.parquet")
    truth = table.select("cifar10", source="naslib", split="valid").mean
    for metric, tolerance in TOLERANCES.items():
        both = pd.DataFrame({"ours": ours[metric], "theirs": theirs[metric], "truth": truth}).dropna()
        assert len(both) == 100, metric
        rho = both.corr(method="spearman")["truth"]
        assert rho["ours"] == pytest.approx(rho["theirs"], abs=tolerance), metric
