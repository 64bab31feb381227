"""Several stores joined in one: each row once, all or nothing, and no difference hidden."""

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from scores import ENVIRONMENT, recipe, score
from verbs import command

from zcbench.harness import evaluated
from zcbench.harness.described import Described
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.rate import Rate
from zcbench.harness.store import SCHEMA_VERSION, Store
from zcbench.harness.store_merge import merge
from zcbench.harness.types import Outcome, Score


def fill(path: Path, *scores: Score, code: str | None = None, environment: dict[str, str] = ENVIRONMENT) -> Path:
    """A store with these scores, made by this code; without it, nothing is said of the metrics."""
    with Store(path) as store:
        if code is not None:
            store.describe(Described(name, 1, True, code=code) for name in {s.metric.partition("(")[0] for s in scores})
        store.append(scores, environment)
    return path


def read(path: Path) -> list[Score]:
    with Store(path, create=False) as store:
        return list(store.scores())


def join(out: Path, *sources: Path, keep_first: bool = False) -> list[tuple[int, int, int]]:
    with Store(out) as store:
        return [(m.rows, m.new, m.differing) for m in merge(store, sources, keep_first=keep_first)]


def refused(out: Path, *sources: Path) -> str:
    """What is said, after which the store is as it was."""
    before = read(out) if out.exists() else []
    with pytest.raises(ZcbenchError) as caught:
        join(out, *sources)
    assert read(out) == before
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "all.sqlite"


def test_rows_of_several_stores_are_there_once_with_everything_that_is_known_of_them(tmp_path: Path, out: Path) -> None:
    other = {"device": "cpu", "threads": "1", "processor": "another"}
    one = fill(tmp_path / "1", score("a", value=0.1 + 0.2), score("c", "swap(repeats=2)", outcome="undefined"))
    two = fill(
        tmp_path / "2",
        score("b", recipe=recipe(init_seed=1)),
        score("a", value=0.1 + 0.2),
        score("d"),
        environment=other,
    )
    assert join(out, one, two) == [(2, 2, 0), (3, 2, 0)]
    assert {s.architecture for s in read(out)} == set("abcd")
    assert set(read(out)) == set(read(one)) | set(read(two))
    with Store(out, create=False) as store, Store(two, create=False) as source:
        assert {e["rows"] for e in store.environments() if "processor" in e} == {"2"}
        assert {e["rows"] for e in store.environments()} == {"2"}
        assert source.recipes().items() <= store.recipes().items()


def test_merging_again_changes_nothing(tmp_path: Path, out: Path) -> None:
    one, two = fill(tmp_path / "1", score("a")), fill(tmp_path / "2", score("b"))
    join(out, one, two)
    before = read(out)
    assert join(out, two, one, one) == [(1, 0, 0)] * 3
    assert read(out) == before
    assert join(two, one) == [(1, 1, 0)]
    assert read(two) == before


def test_what_evaluations_took_comes_along(tmp_path: Path, out: Path) -> None:
    took = evaluated.Evaluated.of([score("a"), score("a", "synflow")], 2.5)
    with Store(tmp_path / "1") as store:
        store.append([score("a"), score("a", "synflow")], ENVIRONMENT, evaluated.Record((took,)))
    without = fill(tmp_path / "2", score("b"))
    join(out, without, tmp_path / "1")
    join(out, tmp_path / "1")
    with Store(out, create=False) as store:
        (found,) = evaluated.read(store, "toy", [recipe().digest]).evaluations
    assert (found.architecture, found.metrics, found.seconds) == ("a", (("snip", 1), ("synflow", 1)), 2.5)


def test_the_stores_that_are_read_are_left_as_they_were(tmp_path: Path, out: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    one, two = fill(folder / "1", score("a"), code=""), fill(folder / "2", score("b"), code="")
    content = one.read_bytes(), two.read_bytes()
    join(out, one, two)
    assert (one.read_bytes(), two.read_bytes()) == content
    assert sorted(folder.iterdir()) == [one, two]
    assert list(tmp_path.iterdir()) == [folder, out] or list(tmp_path.iterdir()) == [out, folder]


def test_a_row_that_differs_in_the_last_bit_is_named_with_both_stores(tmp_path: Path, out: Path) -> None:
    one = fill(tmp_path / "1", score("a", value=0.3), score("x"))
    two = fill(tmp_path / "2", score("a", value=0.1 + 0.2), score("b"), environment={"device": "cpu", "threads": "2"})
    said = refused(out, one, two)
    assert f"snip (version 1, recipe {recipe().digest}) for a is 0.3 in {one} and 0.30000000000000004 in {two}" in said
    assert "threads 1 and 2" in said
    assert "--keep-first" in said
    assert read(out) == []


@pytest.mark.parametrize("order", [1, -1])
def test_the_first_of_rows_that_differ_is_kept_on_request(tmp_path: Path, out: Path, order: int) -> None:
    stores = [fill(tmp_path / str(n), score("a", value=float(n)), score(f"only {n}")) for n in (1, 2)][::order]
    assert join(out, *stores, keep_first=True) == [(2, 2, 0), (2, 1, 1)]
    values = {s.architecture: s.value for s in read(out)}
    assert values == {"a": 1.0 if order == 1 else 2.0, "only 1": 1.5, "only 2": 1.5}


def test_another_outcome_is_a_difference(tmp_path: Path, out: Path) -> None:
    fill(out, score("a", value=1.0))
    two = fill(tmp_path / "2", score("a", outcome="undefined", reason="the batch has one class"))
    assert f"is 1.0 in {out} and undefined in {two}" in refused(out, two)


def test_more_rows_that_differ_are_counted(tmp_path: Path, out: Path) -> None:
    fill(out, *(score(f"{n:04}", value=1.0) for n in range(2500)))
    two = fill(tmp_path / "2", *(score(f"{n:04}", value=2.0) for n in range(2500)))
    said = refused(out, two)
    assert "for 0000 is 1.0" in said
    assert "2,499 more rows" in said


def test_what_failed_gives_way_to_a_score_and_never_replaces_one(tmp_path: Path, out: Path) -> None:
    one = fill(tmp_path / "1", score("a", outcome="failed", reason="oom"), score("b"), score("c"))
    two = fill(
        tmp_path / "2", score("a"), score("b", outcome="failed", reason="oom"),
        score("d", outcome="failed", reason="oom"),
    )  # fmt: skip
    assert join(out, one, two) == [(3, 3, 0), (3, 2, 0)]
    assert {s.architecture: s.outcome for s in read(out)} == {
        "a": Outcome.OK, "b": Outcome.OK, "c": Outcome.OK, "d": Outcome.FAILED,
    }  # fmt: skip
    assert join(out, one, two) == [(3, 0, 0), (3, 0, 0)]


def test_scores_by_other_code_are_refused(tmp_path: Path, out: Path) -> None:
    one = fill(tmp_path / "1", score("a", "mine(k=1)"), code="old")
    two = fill(tmp_path / "2", score("b", "mine(k=2)"), code="new")
    said = refused(out, one, two)
    assert f"the scores of mine version 1 in {two} were made by other code" in said
    nobody = fill(tmp_path / "3", score("c", "mine"))  # without a description nobody knows whose they are
    assert "other code" in refused(out, one, nobody)


def test_other_code_without_scores_is_no_difference(tmp_path: Path, out: Path) -> None:
    one = fill(tmp_path / "1", score("a", "mine"), code="old")
    two = fill(tmp_path / "2", score("b", "mine", outcome="failed", reason="a fault, mended since"), code="new")
    assert join(out, one, two) == [(1, 1, 0), (1, 1, 0)]
    with Store(out, create=False) as store:
        assert store.described()["mine", 1].code == "old"
    fresh = tmp_path / "fresh"
    assert join(fresh, two, one) == [(1, 1, 0), (1, 1, 0)]
    with Store(fresh, create=False) as store:
        assert store.described()["mine", 1].code == "old"


def test_versions_of_a_metric_stand_side_by_side(tmp_path: Path, out: Path) -> None:
    one = fill(tmp_path / "1", score("a", value=1.0))
    two = fill(tmp_path / "2", replace(score("a", value=2.0), version=2))
    assert join(out, one, two) == [(1, 1, 0), (1, 1, 0)]


def test_a_newer_schema_is_refused_and_nothing_is_merged(tmp_path: Path, out: Path) -> None:
    one, two = fill(tmp_path / "1", score("a")), fill(tmp_path / "2", score("b"))
    with sqlite3.connect(two) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    assert f"{two} has schema {SCHEMA_VERSION + 1}" in refused(out, one, two)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM recipes",
        "DELETE FROM environments",
        "UPDATE recipes SET recipe = '{}'",
        "UPDATE environments SET environment = '['",
        "UPDATE scores SET value = NULL",
        "UPDATE scores SET value = 'seven'",
        "UPDATE scores SET outcome = 'great'",
        "UPDATE scores SET seconds_marginal = 'long'",
        "UPDATE scores SET seconds_marginal = 1e308",
        "UPDATE scores SET metric = x'00'",
        "UPDATE scores SET architecture = x'00' WHERE architecture = 'c'",
        "UPDATE scores SET version = 'one'",
        "UPDATE recipes SET recipe = replace(recipe, '\"batch_seed\":0', '\"batch_seed\":null')",
        "UPDATE environments SET environment = '{\"threads\": 1}'",
        "UPDATE metrics SET description = '{\"higher_is_better\": 1}'",
        "UPDATE metric_sets SET metrics = '[7]'",
        "UPDATE metric_sets SET digest = 'another'",
        "UPDATE evaluations SET seconds = 'long'",
        "UPDATE evaluations SET seconds = 1e999",
        "UPDATE rates SET flops = 'fast'",
        "UPDATE rates SET size = 1e999",
    ],
)
def test_a_store_with_rows_that_make_no_sense_is_refused(tmp_path: Path, out: Path, change: str) -> None:
    one, two = fill(tmp_path / "1", score("a"), code="x"), fill(tmp_path / "2", score("b"), code="x")
    with Store(two) as store:
        took = evaluated.Evaluated.of([score("c")], 2.5)
        store.append([score("c")], ENVIRONMENT, evaluated.Record((took,), (Rate("float32", 5e9, 512),)))
    with sqlite3.connect(two) as connection:
        connection.execute(change)
    connection.close()
    assert f"the store {two} is damaged" in refused(out, one, two)


def test_what_is_no_store_or_not_there_is_refused(tmp_path: Path, out: Path) -> None:
    one = fill(tmp_path / "1", score("a"))
    (tmp_path / "text").write_text("architecture,value\n" * 100)
    assert "not a score store" in refused(out, one, tmp_path / "text")
    with pytest.raises(MissingFileError, match="no score store"):
        join(out, one, tmp_path / "nothing")
    assert read(out) == []


def test_a_store_is_not_merged_into_itself(tmp_path: Path, out: Path) -> None:
    fill(out, score("a"))
    (tmp_path / "link").symlink_to(out)
    assert "name it once" in refused(out, tmp_path / "link")


def test_a_merge_that_is_broken_off_leaves_nothing(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(out, score("z"))
    one, two = fill(tmp_path / "1", score("a")), fill(tmp_path / "2", score("b"))
    from zcbench.harness import store_merge

    whole = store_merge._insert

    def broken(target: sqlite3.Connection, rows: list[tuple[object, ...]]) -> object:
        if rows[0][2] == "b":
            raise KeyboardInterrupt
        return whole(target, rows)

    monkeypatch.setattr(store_merge, "_insert", broken)
    with pytest.raises(KeyboardInterrupt):
        join(out, one, two)
    assert [s.architecture for s in read(out)] == ["z"]


def test_more_stores_than_sqlite_attaches(tmp_path: Path, out: Path) -> None:
    stores = [fill(tmp_path / str(n), score(str(n))) for n in range(30)]
    assert join(out, *stores) == [(1, 1, 0)] * 30
    assert len(read(out)) == 30


# The verb


def test_the_verb_says_what_came_of_each_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(Path("1"), score("a"), score("b"))
    fill(Path("2"), score("b"), score("c"))
    assert command("merge", "all", "1", "2") == 0
    assert capsys.readouterr().out.splitlines() == [
        "1: 2 rows, 2 new, 0 were there before", "2: 2 rows, 1 new, 1 were there before", "all holds 3 rows",
    ]  # fmt: skip
    fill(Path("3"), score("a", value=7.0))
    assert command("merge", "all", "3") == 2
    assert capsys.readouterr().err.startswith("zcbench: the score of snip (version 1, ")
    assert command("merge", "all", "3", "--keep-first") == 0
    assert "3: 1 row, 0 new, 0 were there before, 1 left out that differ\n" in capsys.readouterr().out


def test_the_verb_makes_no_store_when_a_source_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("merge", "all", "nothing") == 3
    assert "there is no score store at nothing" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


QUICK = ("--dataset", "gaussian", "--batch-size", "4", "--metrics", "params,layers")


def test_parts_that_machines_scored_are_the_same_as_the_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = tmp_path / "cells.txt"
    assert command("score", "--sample", "4", *QUICK, "--store", str(tmp_path / "whole")) == 0
    names = sorted({s.architecture for s in read(tmp_path / "whole")})
    for part in (0, 1):
        cells.write_text("\n".join(names[part::2] + names[:1]))
        assert command("score", "--architectures", str(cells), *QUICK, "--store", str(tmp_path / f"part{part}")) == 0
    assert command("merge", str(tmp_path / "all"), str(tmp_path / "part0"), str(tmp_path / "part1")) == 0
    bare = [
        [(s.architecture, s.metric, s.value, s.outcome, s.recipe) for s in read(tmp_path / name)]
        for name in ("all", "whole")
    ]
    assert bare[0] == bare[1]
    shutil.copy(tmp_path / "all", tmp_path / "copy")
    capsys.readouterr()
    assert command("score", "--sample", "4", *QUICK, "--store", str(tmp_path / "copy")) == 0
    assert "0 new rows" in capsys.readouterr().err
