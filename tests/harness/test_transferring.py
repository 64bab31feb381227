"""``zcbench transfer``: from a store with several sources to their table, and what it refuses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scores import recipe
from verbs import command

from zcbench.datasets.nasbench201 import BENCHMARK
from zcbench.datasets.registry import benchmark
from zcbench.harness.commands._family import Wanted
from zcbench.harness.commands._studying import Statistics
from zcbench.harness.commands._targets import TruthOptions
from zcbench.harness.commands._transferring import transfers
from zcbench.harness.store import Store
from zcbench.harness.types import Outcome, Score, Seconds

pytestmark = pytest.mark.usefixtures("one_cell_a_stage")
CELLS = 8
HOW = Statistics("drop", "all", 20)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, one_cell_a_stage: None) -> Path:
    """Eight cells on digits with both kinds of labels and on noise; only to be read."""
    path = tmp_path_factory.mktemp("transfer") / "s.sqlite"
    assert command("score", "--dataset", "gaussian", "--dataset", "digits", "--labels", "random", "--labels", "true",
                   "--sample", str(CELLS), "--batch-size", "8", "--metrics", "params,flops,nwot,snip", "--workers", "1",
                   "--store", str(path)) == 0  # fmt: skip
    return path


def options(*targets: str) -> TruthOptions:
    return TruthOptions.of(["nasbench201"], targets, (), (), (), None, costs=False)


def copied(scored: Path, place: Path, change) -> Path:
    """A store with the rows of another, each changed; None leaves a row out."""
    with Store(scored, create=False) as old, Store(place / "c.sqlite") as new:
        new.append([changed for score in old.scores() if (changed := change(score)) is not None], {})
    return place / "c.sqlite"


def test_the_table_of_embedded_accuracies(scored: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("transfer", "--store", str(scored), "--resamples", "20", "--out", "t") == 0
    said = capsys.readouterr().out
    assert "sources: digits, gaussian, digits (random labels)" in said
    assert "targets: cifar10, cifar10_ptq, cifar10_qat, cifar10_noisy, cifar10_analog" in said
    frame = pd.read_csv("t/transfer.csv")
    with Store(scored, create=False) as store:
        scores = store.frame()
    truth = BENCHMARK.truth().select("cifar10_noisy").mean
    for metric in ("nwot", "snip"):
        rows = scores[(scores["metric"] == metric) & (scores["outcome"] == "ok")]
        by_source = {
            "digits": rows[(rows["dataset"] == "digits") & (rows["labels"] == "true")],
            "digits (random labels)": rows[rows["labels"] == "random"],
            "gaussian": rows[rows["dataset"] == "gaussian"],
        }
        common = sorted(set.intersection(*(set(part["architecture"]) for part in by_source.values())))
        for source, part in by_source.items():
            values = part.set_index("architecture")["value"].loc[common]
            expected = stats.spearmanr(values, truth.loc[common]).statistic
            at = (frame["metric"] == metric) & (frame["source"] == source) & (frame["target"] == "cifar10_noisy")
            found = frame[at & (frame["statistic"] == "spearman")].iloc[0]
            assert found["value"] == pytest.approx(expected, abs=1e-12)
            assert found["n"] == len(common)
    agreement = frame[(frame["statistic"] == "agreement") & (frame["target"] == "digits (random labels)")]
    agreement = agreement[agreement["source"] == "digits"].set_index("metric")["value"]
    assert agreement["nwot"] == agreement["params"] == 1  # they do not see labels
    assert agreement["snip"] > 0.5
    labels = frame[frame["statistic"] == "agreement_labels"].set_index("metric")["value"]
    assert labels["snip"] == agreement["snip"]  # the one pair that differs in labels alone
    assert {p.name for p in (place / "t").iterdir()} == {"index.html", "report.md", "figures", "tables", "transfer.csv"}
    assert list((place / "t" / "tables").glob("*.tex"))


def test_targets_of_a_table_beside_it_are_own_and_other(
    scored: Path, place: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZCBENCH_DATA", str(data_folder))

    def as_cifar10(score: Score) -> Score:
        """Call the true digits CIFAR-10: they are the own images of one target then."""
        mine = score.recipe.dataset == "digits" and not score.recipe.labels
        return replace(score, recipe=replace(score.recipe, dataset="cifar10")) if mine else score

    path = copied(scored, place, as_cifar10)
    with Store(path, create=False) as store:
        (found,) = transfers(store, {"nasbench201": Wanted()}, options(), HOW)
    assert found.targets == ("cifar10", "cifar100", "imagenet16_120")
    assert [(s.name, s.own) for s in found.sources] == [
        ("cifar10", {"cifar10"}), ("gaussian", frozenset()), ("digits (random labels)", frozenset()),
    ]  # fmt: skip
    own = found.estimate("snip", "spearman_own")
    assert own.value == found.estimate("snip", "spearman", "cifar10", "cifar10").value
    two = transfers_of(path, "cifar100", "imagenet16_120")
    assert np.isnan(two.estimate("snip", "loss").value)  # nobody scored on their images


def transfers_of(path: Path, *targets: str):
    with Store(path, create=False) as store:
        (found,) = transfers(store, {"nasbench201": Wanted()}, options(*targets), HOW)
    return found


def test_only_what_is_made_alike_is_compared(scored: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another batch size is no other source, and scores of an older version of a metric are left out."""

    def change(score: Score) -> Score | None:
        if score.recipe.dataset == "gaussian" and score.metric == "snip":
            return replace(score, recipe=replace(score.recipe, batch_size=4))
        if score.recipe.labels and score.metric == "nwot":
            return replace(score, version=score.version + 1)
        return score

    path = copied(scored, place, change)
    found = transfers_of(path, "cifar10")
    assert set(found.without["snip"]) == {"gaussian"}
    assert "nwot" not in found.metrics
    said = capsys.readouterr().err
    assert "scored on one source only, so left out of the transfer: nwot" in said


def test_a_metric_without_scores_is_named_with_its_reason_and_has_no_row(
    scored: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """snip has no score anywhere, for two reasons; flops none in one source."""

    def change(score: Score) -> Score:
        if score.metric == "snip":
            often = score.reason == "" and score.architecture != first
            why = "needs 99 images" if often else "no way through"
            return replace(score, value=None, outcome=Outcome.UNDEFINED, reason=why)
        if score.metric == "flops" and score.recipe.dataset == "gaussian":
            return replace(score, value=None, outcome=Outcome.FAILED, reason="oom")
        return score

    with Store(scored, create=False) as store:
        first = min(store.frame()["architecture"])
    path = copied(scored, place, change)
    assert command("transfer", "--store", str(path), "--resamples", "20", "--out", "t") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "without any of these values: snip; mostly because: needs 99 images" in lines
    start = next(n for n, line in enumerate(lines) if line.startswith("metric"))
    assert {line.split()[0] for line in lines[start + 1 : start + 4]} == {"flops", "nwot", "params"}
    note = "flops (gaussian: oom); snip (digits, gaussian, digits (random labels): needs 99 images)."
    assert f"Sources that take no part, for want of scores: {note}" in (place / "t" / "report.md").read_text()


def test_without_any_score_there_is_no_table_but_the_reason(
    scored: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(score: Score) -> Score | None:
        lost = replace(score, value=None, outcome=Outcome.UNDEFINED, reason="needs 99 images")
        return lost if score.metric in ("snip", "nwot") else None

    assert command("transfer", "--store", str(copied(scored, place, change)), "--resamples", "20") == 0
    said = capsys.readouterr().out
    assert "without any of these values: nwot, snip; mostly because: needs 99 images" in said
    assert "own source" not in said
    assert "nan" not in said


def test_all_sources_rest_on_the_same_seeds(scored: Path, place: Path) -> None:
    with Store(scored, create=False) as store:
        rows = list(store.scores())
    more = [replace(r, recipe=replace(r.recipe, init_seed=1), value=None if r.value is None else -r.value)
            for r in rows if r.recipe.dataset == "gaussian"]  # fmt: skip
    with Store(place / "seeds.sqlite") as store:
        store.append([*rows, *more], {})
    found, before = transfers_of(place / "seeds.sqlite", "cifar10"), transfers_of(scored, "cifar10")
    assert found.rows == before.rows


def test_a_source_of_other_architectures_leaves_those_in_common(scored: Path, place: Path) -> None:
    with Store(scored, create=False) as store:
        cells = sorted(store.frame()["architecture"].unique())

    def fewer(score: Score) -> Score | None:
        return None if score.recipe.labels and score.architecture in cells[:3] else score

    found = transfers_of(copied(scored, place, fewer), "cifar10")
    assert found.architectures == tuple(cells[3:])
    assert found.left_out == {"digits": 3, "gaussian": 3, "digits (random labels)": 0}


def test_tasks_are_sources_of_their_own(place: Path) -> None:
    tasks = ("class_scene", "jigsaw")
    random = np.random.default_rng(0)
    space = benchmark("transnasbench101_micro").space
    cells = [a.id for a in space.sample(12, 0)]
    made = []
    for task in tasks:
        with_task = space.configured({"task": task})
        network = ",".join(f"{k}={v}" for k, v in with_task.network.items())
        made += [
            Score("transnasbench101_micro", f"{space.name}@{space.version}", cell, "snip", 1,
                  recipe_of(network, task), float(random.random()), Outcome.OK, "", Seconds(0, 0))
            for cell in cells
        ]  # fmt: skip
    with Store(place / "t.sqlite") as store:
        store.append(made, {})
    rows = [(cell, t, "valid", -1, -1, "accuracy", random.random(), "naslib") for cell in cells for t in tasks]
    columns = ["architecture", "dataset", "split", "epochs", "seed", "metric", "value", "source"]
    pd.DataFrame(rows, columns=columns).to_parquet("truth.parquet")
    assert command("transfer", "--store", "t.sqlite", "--truth", "truth.parquet", "--resamples", "20") == 0
    frame = pd.read_csv("transfer/transfer.csv")
    assert set(frame[frame["statistic"] == "kendall"]["source"]) == set(tasks)
    one = frame[(frame["statistic"] == "spearman_own") & (frame["metric"] == "snip")]["value"].iloc[0]
    spearman = frame[(frame["statistic"] == "spearman") & (frame["metric"] == "snip")].set_index(["source", "target"])
    assert one == pytest.approx(np.mean([spearman["value"][t, t] for t in tasks]))
    # an ordinary analysis still refuses the accuracy of another task
    assert command("analyse", "--store", "t.sqlite", "--truth", "truth.parquet", "--target", "room_layout") == 2


def recipe_of(network: str, task: str):
    return replace(recipe(), network=network, preprocessing=f"none; targets of {task}: at random")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--dataset", "digits"), "No such option"),
        (("--target", "cifar1"), "cifar1"),
        (("--population", "everybody"), "population"),
        (("--init", "kaiming"), "init"),
        (("--batch-size", "9"), "batch_size"),
    ],
)
def test_bad_options_get_one_line(
    scored: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], says: str
) -> None:
    assert command("transfer", "--store", str(scored), *more) in (2, 3)
    said = capsys.readouterr()
    assert says in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_one_source_is_not_enough(scored: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = copied(scored, place, lambda s: s if s.recipe.dataset == "gaussian" else None)
    assert command("transfer", "--store", str(path)) == 2
    assert "two sources or more" in capsys.readouterr().err
    with Store(path, create=False) as store:
        assert transfers(store, {"nasbench201": Wanted()}, options(), HOW) == []
