"""What evaluations took, beside their rows: by workers, over several runs, in old stores, merged, and in a report."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scores import ENVIRONMENT, recipe, score
from verbs import command

from zcbench.datasets import images
from zcbench.datasets.nasbench201 import BENCHMARK
from zcbench.harness import rate
from zcbench.harness.commands import _effort
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.evaluated import Evaluated, Record, Recorded, read
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.machine import RAY, Machine
from zcbench.harness.rate import Rate, rates
from zcbench.harness.registry import select
from zcbench.harness.runner import run
from zcbench.harness.store import Store
from zcbench.harness.store_merge import merge

pytestmark = pytest.mark.usefixtures("one_cell_a_stage")
CUT = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
CELLS = [CUT, *(a.id for a in BENCHMARK.space.sample(7, 0) if not BENCHMARK.space.disconnected(a))]


def job(metrics: str, seeds: int = 1, cells: list[str] = CELLS) -> Job:
    space = BENCHMARK.space
    return Job(
        benchmark=BENCHMARK.name, space=space, architectures=[space.parse(cell) for cell in cells],
        metrics=select(metrics), batch=images.load("gaussian", batch_size=4, resolution=8),
        init=initialisation("pytorch"), seeds=seeds,
    )  # fmt: skip


def recorded(path: Path, one: Job) -> Recorded:
    with Store(path, create=False) as store:
        return read(store, "nasbench201", [r.digest for r in one.recipes()])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.sqlite"


@pytest.mark.parametrize("workers", [1, 2])
def test_every_candidate_leaves_one_evaluation(path: Path, workers: int) -> None:
    one = job("snip,params")
    with Store(path) as store:
        run(one, store, Machine(workers=workers), chunk=3)
        rows = {s.architecture: 0.0 for s in store.scores()}
        for s in store.scores():
            rows[s.architecture] += s.seconds.standalone
    found = recorded(path, one)
    assert sorted(e.architecture for e in found.evaluations) == sorted(CELLS)
    assert {e.metrics for e in found.evaluations} == {(("params", 1), ("snip", 1))}
    assert {e.environment for e in found.evaluations} == set(found.rates) == set(found.environments)
    for e in found.evaluations:
        # Nothing is shared between the two, so that together they cannot take less.
        assert e.seconds >= rows[e.architecture] > 0
    ((per_second, size),) = {found.rates[e.environment]["float32"] for e in found.evaluations}
    assert per_second > 1e8
    assert size >= 512
    assert {environment["workers"] for environment in found.environments.values()} == {str(workers)}


def test_a_run_that_goes_on_adds_what_it_evaluated(path: Path) -> None:
    first, second = job("snip"), job("snip,params,synflow", cells=CELLS[:3])
    with Store(path) as store:
        run(first, store)
        before = recorded(path, first).evaluations
        run(first, store)
        assert recorded(path, first).evaluations == before, "nothing was missing"
        run(second, store)
    found = recorded(path, second).evaluations
    assert set(before) <= set(found)
    added = [e for e in found if e not in before]
    assert sorted(e.architecture for e in added) == sorted(CELLS[:3])
    assert {e.metrics for e in added} == {(("params", 1), ("synflow", 1))}


def test_rows_and_evaluations_come_in_one_transaction(path: Path) -> None:
    one, bad = Evaluated.of([score("a")], 1.0), Evaluated.of([score("b")], 2.0)
    object.__setattr__(bad, "seconds", None)
    with Store(path) as store:
        with pytest.raises(ZcbenchError):
            store.append([score("a"), score("b")], ENVIRONMENT, Record((one, bad)))
        assert list(store.scores()) == []
        assert read(store, "toy", [recipe().digest]).evaluations == ()
        store.append([score("a")], ENVIRONMENT, Record((one,), (Rate("float32", 5e9, 512),)))
        store.append([score("c")], ENVIRONMENT, Record((), (Rate("float32", 4e9, 256),)))
        found = read(store, "toy", [recipe().digest])
    assert [replace(e, environment="") for e in found.evaluations] == [one]
    assert list(found.rates.values()) == [{"float32": (5e9, 512)}], "the best counts"


def without_record(path: Path) -> None:
    """Make a store as it was before evaluations were recorded."""
    connection = sqlite3.connect(path)
    for table in ("evaluations", "metric_sets", "rates"):
        connection.execute(f"DROP TABLE {table}")
    connection.commit()
    connection.close()


def test_an_old_store_is_read_and_goes_on(path: Path) -> None:
    one = job("params")
    with Store(path) as store:
        run(one, store)
    without_record(path)
    assert recorded(path, one) == Recorded()
    with Store(path) as store:
        run(job("params,layers"), store)
    assert {e.metrics for e in recorded(path, one).evaluations} == {(("layers", 1),)}
    without_record(path)
    with Store(path) as store:
        assert len(list(store.scores())) == 2 * len(CELLS)


def test_a_merge_takes_the_evaluations_along(tmp_path: Path) -> None:
    for name, cells in (("a", CELLS[:3]), ("b", CELLS[2:])):
        with Store(tmp_path / name) as store:
            run(job("params", cells=cells), store)
    with Store(tmp_path / "a") as store:
        merge(store, [tmp_path / "b"])
        merge(store, [tmp_path / "b"])
    found = recorded(tmp_path / "a", job("params"))
    assert sorted(e.architecture for e in found.evaluations) == sorted(CELLS)
    assert all(e.environment in found.environments for e in found.evaluations)


def test_a_damaged_record_is_said_in_one_line(path: Path) -> None:
    with Store(path) as store:
        run(job("params"), store)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE metric_sets SET metrics = 'no json'")
    connection.commit()
    connection.close()
    with pytest.raises(ZcbenchError, match=r"^the store .* is damaged [^\n]*$"):
        recorded(path, job("params"))
    with Store(path, create=False) as store:
        assert len(list(store.scores())) == len(CELLS), "the scores are read all the same"


def test_the_rate_is_measured_once_and_not_for_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "_measured", {})
    assert rates(Machine(executor=RAY)) == ()
    first = rates(Machine(threads=1))
    assert [one.dtype for one in first] == ["float32", "float64"]
    assert all(one.flops > 1e8 for one in first)
    assert rates(Machine(threads=1)) is first


def test_a_device_that_refuses_the_product_has_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(rate, "_measured", {})
    monkeypatch.setattr(rate, "measured", refuse)
    assert rates(Machine()) == ()


def test_the_rate_is_the_arithmetic_over_the_shortest_time(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([9.0, 0.5, 0.25, 0.75])
    monkeypatch.setattr(rate, "_product", lambda *_: lambda: next(times))
    monkeypatch.setattr(rate, "REPEATS", 3)
    found = rate.measured(rate.torch.device("cpu"), "float32")
    assert found == Rate("float32", 2 * 512**3 / 0.25, 512)


# In a report

METRICS = "snip,synflow,params"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
    frame = pd.DataFrame({"architecture": CELLS, "value": np.linspace(0.5, 0.9, len(CELLS))})
    for name, value in (("epochs", 200), ("seed", -1), ("source", "robot"), ("dataset", "cifar10"),
                        ("split", "test"), ("metric", "accuracy")):  # fmt: skip
        frame[name] = value
    frame.to_parquet("t.parquet")
    return tmp_path


def report(*options: str) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """The tables of cost and of the limit as written, and both in words."""
    assert command("report", "--store", "s.sqlite", "--truth", "t.parquet", "--resamples", "20", *options) == 0
    tables = Path("report/tables")
    cost = pd.read_csv(tables / "cost_cifar10.csv").set_index("metric")
    there = (tables / "cost_limit_cifar10.csv").exists()
    words = (tables / "cost_cifar10.md").read_text() + ((tables / "cost_limit_cifar10.md").read_text() if there else "")
    return cost, pd.read_csv(tables / "cost_limit_cifar10.csv") if there else None, words


def test_a_report_holds_the_time_against_the_limit(place: Path) -> None:
    one = job(METRICS)
    with Store(Path("s.sqlite")) as store:
        run(one, store)
    cost, limit, words = report()
    taken = [e.seconds for e in recorded(Path("s.sqlite"), one).evaluations if e.architecture != CUT]
    row = cost.loc["all metrics, in shared passes"]
    assert row["standalone_s"] == pytest.approx(sum(taken))
    assert row["standalone_ms"] == pytest.approx(1e3 * float(np.median(taken)))
    assert row["left_out"] == 1
    assert f"{len(taken)} networks, all but 1 that needed no pass" in words
    assert limit is not None
    (line,) = limit.to_dict("records")
    assert line["machine"].startswith("cpu, 1 thread, 1 worker")
    assert line["networks"] == 3
    assert line["gflop_float32"] > line["gflop_float64"] > 0
    seconds = sum(line[f"gflop_{d}"] / line[f"gflop_per_s_{d}"] for d in ("float32", "float64"))
    assert line["limit_ms"] == pytest.approx(1e3 * seconds, rel=0.5)  # medians of each, of three networks
    assert line["ratio"] > 1
    assert "two for every multiply-accumulate" in words


def test_a_report_counts_as_many_networks_as_it_is_asked_to(place: Path) -> None:
    with Store(Path("s.sqlite")) as store:
        run(job(METRICS), store)
    _, limit, words = report("--flops", "1")
    assert limit is not None
    assert list(limit["networks"]) == [1]
    _, limit, words = report("--flops", "0")
    assert limit is not None
    assert limit.empty
    assert "No operations were counted: none were asked for." in words


def test_counting_gives_up_after_some_seconds(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_effort, "MOST_SECONDS", 0.0)
    with Store(Path("s.sqlite")) as store:
        run(job(METRICS), store)
    _, limit, words = report()
    assert limit is not None
    assert limit.empty
    assert "No operations were counted: more take over 0 seconds to count" in words


def test_a_report_on_an_old_store_says_that_nothing_was_recorded(place: Path) -> None:
    with Store(Path("s.sqlite")) as store:
        run(job(METRICS), store)
    without_record(Path("s.sqlite"))
    cost, limit, words = report()
    assert "all metrics, in shared passes" not in cost.index
    assert limit is None
    assert "What all metrics took in shared passes is not known: it was not recorded with these scores." in words


def test_a_store_that_was_widened_says_so(place: Path) -> None:
    with Store(Path("s.sqlite")) as store:
        run(job("snip"), store)
        without_record(Path("s.sqlite"))
    with Store(Path("s.sqlite")) as store:
        run(job("snip,params", cells=CELLS[:3]), store)
        run(job("snip,params,synflow"), store)
    cost, _, words = report()
    assert "all metrics, in shared passes" not in cost.index, "no network has all its metrics in the record"
    Path("s.sqlite").unlink()
    with Store(Path("s.sqlite")) as store:
        run(job("snip,layers"), store)
        run(job("snip,params"), store)
    cost, limit, words = report()
    assert f"{len(CELLS) - 1} of these came to all their metrics in several evaluations, up to 2" in words
    assert limit is not None
    assert limit["gflop_float32"][0] > 0


def test_another_version_of_a_metric_is_not_counted(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(Path("s.sqlite")) as store:
        run(job("snip"), store)
    newer: Callable[..., object] = lambda name: [replace(one, version=2) for one in select(name)]  # noqa: E731
    monkeypatch.setattr(_effort, "select", newer)
    _, limit, words = report()
    assert limit is not None
    assert limit.empty
    assert "snip is here at version 2, and was scored at version 1" in words


def test_reading_the_record_loads_no_torch() -> None:
    program = "import sys; import zcbench.harness.analysis.effort; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
