import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from zcbench.datasets.truth import TRUTH_COLUMNS, Remarks, TruthTable
from zcbench.harness.errors import MissingFileError, ZcbenchError


def rows(*cells, dataset="cifar10", split="test", epochs=200, metric="accuracy", source="a", kind="trained"):
    """Rows from (architecture, seed, value)."""
    return pd.DataFrame(
        [(arch, dataset, split, epochs, seed, metric, value, source, kind) for arch, seed, value in cells],
        columns=list(TRUTH_COLUMNS),
    )


def table(*frames):
    return TruthTable(pd.concat(frames, ignore_index=True))


SEEDS = rows(("x", 1, 0.5), ("x", 2, 0.7), ("y", 1, 0.2))


def test_the_mean_is_over_the_seeds_and_repeats_keep_them():
    target = table(SEEDS).select("cifar10")
    assert target.mean.to_dict() == pytest.approx({"x": 0.6, "y": 0.2})
    assert target.mean.dtype == np.float64
    assert target.mean.index.name == "architecture"
    np.testing.assert_array_equal(target.repeats.to_numpy(), [[0.5, 0.7], [0.2, np.nan]])
    assert list(target.repeats.columns) == [1, 2]
    assert target.describe() == (
        "cifar10 test accuracy after 200 epochs, mean over 1-2 seeds, source a, trained"
    )


def test_a_published_mean_wins_over_the_mean_of_the_published_seeds():
    target = table(SEEDS, rows(("x", -1, 0.65))).select("cifar10")
    assert target.mean.to_dict() == pytest.approx({"x": 0.65, "y": 0.2})
    assert target.repeats.shape == (2, 2)
    assert "published mean over seeds" in target.describe()


def test_only_published_means_leave_no_repeats():
    target = table(rows(("x", -1, 0.65), epochs=-1)).select("cifar10")
    assert target.repeats.shape == (1, 0)
    assert "after the last epoch" in target.describe()


def test_one_seed_is_named():
    one = table(rows(("x", 888, 0.5))).select("cifar10")
    assert "training seed 888," in one.describe()
    assert one.seed == 888
    assert table(SEEDS).select("cifar10").seed is None
    assert table(rows(("x", -1, 0.5))).select("cifar10").seed is None
    assert "mean over 2 seeds" in table(rows(("x", 1, 0.5), ("x", 2, 0.5))).select("cifar10").seeds


def test_one_training_seed_can_be_chosen():
    both = table(SEEDS, rows(("x", -1, 0.65), ("y", -1, 0.3)), rows(("x", -1, 0.9), source="b"))
    target = both.select("cifar10", seed=1, default_sources=("b", "a"))
    assert target.mean.to_dict() == {"x": 0.5, "y": 0.2}
    assert (list(target.repeats.columns), target.seed, target.source) == ([1], 1, "a")
    assert target.describe() == "cifar10 test accuracy after 200 epochs, training seed 1, source a, trained"
    assert both.select("cifar10", seed=2).mean.to_dict() == {"x": 0.7}
    assert both.truth("x", "cifar10", seed=2).values == (0.7,)


def test_seed_zero_is_a_seed():
    assert table(rows(("x", 0, 0.5), ("x", 1, 0.7))).select("cifar10", seed=0).mean["x"] == 0.5


def test_a_seed_that_does_not_exist_says_which_do():
    with pytest.raises(ZcbenchError) as caught:
        table(SEEDS, rows(("x", -1, 0.65))).select("cifar10", seed=888)
    assert str(caught.value) == "there is no test accuracy of cifar10 with training seed 888; there is: 1, 2"
    with pytest.raises(ZcbenchError, match=r"training seed -1; there are no values of single seeds"):
        table(rows(("x", -1, 0.65))).select("cifar10", seed=-1)


def test_remarks_are_kept_with_the_source_and_dataset_that_they_are_about():
    remarks = Remarks(
        seeds={"b": "seeds not stated"}, notes={("b", "d"): "on Mars"}, elsewhere={"cifar100": "add --source c"}
    )
    frames = [rows(("x", -1, 0.6), source=source, dataset=name) for source in "ab" for name in ("d", "e")]
    several = table(*frames).remarked(remarks)
    described = {(s, d): several.select(d, source=s).describe() for s in "ab" for d in "de"}
    assert described["b", "d"] == (
        "d test accuracy after 200 epochs, seeds not stated, source b, trained; on Mars"
    )
    assert several.select("d", source="b").note == "on Mars"
    assert "seeds not stated" in described["b", "e"]
    assert "on Mars" not in described["b", "e"] + described["a", "d"]
    assert "published mean over seeds" in described["a", "d"]
    assert several.only("b").select("d").describe() == described["b", "d"]
    with pytest.raises(ZcbenchError, match=r'has no dataset "cifar100": add --source c$'):
        several.only("b").select("cifar100")


@pytest.mark.parametrize(
    ("lengths", "longest"), [((12, 200), 200), ((200, -1), -1), ((-1,), -1), ((12,), 12)]
)
def test_the_longest_training_is_taken(lengths, longest):
    frames = [rows(("x", 1, 0.1), epochs=epochs) for epochs in lengths]
    assert table(*frames).select("cifar10").epochs == longest
    assert table(*frames).select("cifar10", epochs=lengths[0]).epochs == lengths[0]


@pytest.mark.parametrize(
    ("preferred", "chosen"), [((), "a"), (("c", "b", "a"), "c"), (("z", "b"), "b"), (("z",), "a")]
)
def test_of_several_sources_the_preferred_one_is_taken(preferred, chosen):
    several = table(*[rows(("x", 1, 0.1), source=source) for source in "cba"])
    assert several.sources == ("a", "b", "c")
    assert several.select("cifar10", default_sources=preferred).source == chosen
    assert several.select("cifar10", source="b", default_sources=preferred).source == "b"


def test_a_preferred_source_with_a_shorter_training_is_not_taken():
    both = table(rows(("x", 1, 0.1), source="a", epochs=12), rows(("x", 1, 0.2), source="b"))
    assert both.select("cifar10", default_sources=("a",)).source == "b"
    assert both.select("cifar10", default_sources=("a",), epochs=12).source == "a"


def test_another_split_is_never_taken_silently():
    valid = table(rows(("x", 1, 0.1), split="valid"), rows(("x", 1, 0.1), split="train", epochs=12))
    with pytest.raises(ZcbenchError, match=r"no test accuracy .* there is train after 12 epochs, valid"):
        valid.select("cifar10")
    assert valid.select("cifar10", split="valid").split == "valid"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": "cifar1O"}, 'no dataset "cifar1O". Did you mean "cifar10"? There is: cifar10.'),
        ({"dataset": "svhn"}, 'no dataset "svhn". Known: cifar10.'),
        ({"dataset": "cifar10", "source": "b"}, 'cifar10 has no source "b". Known: a.'),
        ({"dataset": "cifar10", "metric": "accurcy"}, 'Did you mean "accuracy"?'),
        ({"dataset": "cifar10", "epochs": 12}, "no test accuracy after 12 epochs of cifar10; there is"),
        ({"dataset": "cifar10", "split": "valid", "source": "a"}, "no valid accuracy of cifar10 from a;"),
    ],
)
def test_a_selection_that_does_not_exist_says_what_does(arguments, message):
    with pytest.raises(ZcbenchError) as caught:
        table(SEEDS).select(**arguments)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_truth_of_one_architecture():
    both = table(SEEDS, rows(("x", -1, 0.65), source="b"))
    one = both.truth("x", "cifar10", source="a")
    assert (one.seeds, one.values, one.split, one.epochs) == ((1, 2), (0.5, 0.7), "test", 200)
    assert one.mean == pytest.approx(0.6)
    assert both.truth("x", "cifar10", default_sources=("b",)).seeds == (-1,)
    with pytest.raises(ZcbenchError, match="no accuracy of z on cifar10"):
        both.truth("z", "cifar10")


def test_only_keeps_one_source():
    both = table(SEEDS, rows(("x", 1, 0.65), source="b"))
    assert both.only("b").sources == ("b",)
    with pytest.raises(ZcbenchError, match="no source"):
        both.only("c")


def test_writing_and_reading_gives_the_same_rows(tmp_path):
    path = tmp_path / "t.parquet"
    original = table(SEEDS, rows(("z", -1, 0.5), kind="surrogate", epochs=-1, dataset="d"))
    original.write(path)
    pd.testing.assert_frame_equal(
        TruthTable.from_parquet(path).frame.astype({"architecture": str}),
        original.frame.astype({"architecture": str}),
        check_categorical=False,
    )
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]
    assert path.stat().st_mode & 0o044


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"old")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    with pytest.raises(ZcbenchError, match="No space left on device"):
        table(SEEDS).write(path)
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_writing_into_nowhere(tmp_path):
    with pytest.raises(MissingFileError, match="no folder"):
        table(SEEDS).write(tmp_path / "absent" / "t.parquet")
    with pytest.raises(ZcbenchError, match="it is a folder"):
        table(SEEDS).write(tmp_path)


def test_a_file_without_kind_counts_as_trained(tmp_path):
    path = tmp_path / "t.parquet"
    SEEDS.drop(columns="kind").to_parquet(path)
    assert TruthTable.from_parquet(path).select("cifar10").kind == "trained"


def write_plain(frame):
    return lambda path: frame.to_parquet(path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_bytes(b"<html>404</html>" * 9), "another format"),
        (lambda path: path.mkdir(), "not a file"),
        (write_plain(SEEDS.drop(columns=["split", "seed"])), "lacks the columns split, seed"),
        (write_plain(SEEDS.assign(value=[0.5, np.nan, 0.1])), "empty cells in value"),
        (
            write_plain(SEEDS.assign(value=[50.0, 70.0, 20.0])),
            "3 accuracies are outside [0, 1], e.g. 50",
        ),
        (write_plain(SEEDS.assign(seed=["a", "b", "c"])), "the column seed holds"),
        (write_plain(SEEDS.assign(value=["a", "b", "c"])), "the column value holds"),
        (write_plain(SEEDS.assign(kind="guessed")), "kind guessed is none of trained, surrogate"),
        (write_plain(pd.concat([SEEDS, SEEDS[:1]])), "1 measurements occur twice, e.g. x on cifar10"),
    ],
)
def test_files_of_another_form_are_refused_in_one_line(tmp_path, write, message):
    path = tmp_path / "t.parquet"
    write(path)
    with pytest.raises(ZcbenchError) as caught:
        TruthTable.from_parquet(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("part", [0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, part):
    path = tmp_path / "t.parquet"
    table(SEEDS).write(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ZcbenchError, match="truncated") as caught:
        TruthTable.from_parquet(path)
    assert len(str(caught.value).splitlines()) == 1


def test_an_absent_file_has_its_own_exit_code():
    with pytest.raises(MissingFileError, match="no ground-truth table"):
        TruthTable.from_parquet(Path("/nowhere/t.parquet"))


def test_other_values_than_accuracies_may_exceed_one():
    losses = table(rows(("x", 1, 2.5), metric="loss"))
    assert losses.select("cifar10", metric="loss").mean["x"] == 2.5


def test_an_empty_table_is_refused():
    with pytest.raises(ZcbenchError, match="the ground-truth table has no rows"):
        TruthTable(SEEDS[:0].astype({"epochs": int, "seed": int, "value": float}))


def test_two_kinds_in_one_source_are_refused():
    with pytest.raises(ZcbenchError, match="mixes the kinds"):
        table(rows(("x", 1, 0.1)), rows(("y", 1, 0.1), kind="surrogate")).select("cifar10")


def test_the_real_table(data_folder):
    begin = time.process_time()
    real = TruthTable.from_parquet(data_folder / "nasbench201.parquet")
    target = real.select("cifar10", default_sources=("robot",))
    meco = real.select("cifar10", source="meco")
    half = real.select("cifar10", source="naslib", seed=888)
    assert time.process_time() - begin < 3  # takes 0.3 s
    assert len(real) == 224_486
    assert target.describe() == (
        "cifar10 test accuracy after 200 epochs, published mean over seeds, source robot, trained"
    )
    assert half.describe() == "cifar10 test accuracy after 200 epochs, training seed 888, source naslib, trained"
    assert len(target.mean) == len(meco.mean) == 15_625
    assert [
        round(real.select(name, source="robot").mean.max(), 4)
        for name in ("cifar10", "cifar100", "imagenet16_120")
    ] == [0.9437, 0.7351, 0.4731]
    assert meco.repeats.notna().sum().tolist() == [15_625, 13_400, 7_961]
    # seven digits of rounding apart, robot's mean is the mean of the seeds where all three are there
    whole = meco.repeats.notna().all(axis=1)
    assert (meco.mean[whole] - target.mean[whole]).abs().median() < 1e-4
