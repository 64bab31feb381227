"""Labels drawn at random: what they are, what they change, and that an ordinary analysis does not fall for them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from verbs import command

from zcbench.datasets import images
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.store import Store
from zcbench.harness.types import Loss, Recipe, Task

pytestmark = pytest.mark.usefixtures("one_cell_a_stage")
LABEL_FREE = ("params", "flops", "layers", "l2_norm", "synflow", "zen", "nwot", "jacov", "meco")
LABELLED = ("snip", "grad_norm", "fisher", "grasp")
CELL = "|nor_conv_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
    (tmp_path / "cell.txt").write_text(CELL)
    return tmp_path


def test_random_labels_are_even_and_know_nothing_of_the_images() -> None:
    true, drawn = (images.load("digits", batch_size=32, labels=kind, further=2) for kind in ("true", "random"))
    assert (true.labels, drawn.labels) == ("", "random")
    assert drawn.preprocessing == f"{true.preprocessing}; labels at random"
    np.testing.assert_array_equal(true.inputs, drawn.inputs)
    assert drawn.targets.dtype == true.targets.dtype
    assert drawn.classes == true.classes
    assert set(np.bincount(drawn.targets, minlength=10)) == {3, 4}
    assert (drawn.targets != true.targets).mean() > 0.5
    assert drawn.digest != true.digest
    for (pixels, targets), (same, before) in zip(drawn.further, true.further, strict=True):
        np.testing.assert_array_equal(pixels, same)
        assert set(np.bincount(targets, minlength=10)) == {3, 4}
        assert not np.array_equal(targets, before)
    assert len({one.tobytes() for one in (drawn.targets, *(t for _, t in drawn.further))}) == 3
    # the same labels whatever the images, and whatever the number of further mini-batches
    np.testing.assert_array_equal(drawn.targets, images.load("digits", batch_size=32, labels="random").targets)
    other = replace(true, inputs=true.inputs[::-1].copy())
    np.testing.assert_array_equal(images.tasks.with_random_labels(other).targets, drawn.targets)
    assert not np.array_equal(drawn.targets, images.load("digits", batch_size=32, labels="random", seed=1).targets)


def test_gaussian_inputs_have_random_labels_anyway() -> None:
    plain, drawn = (images.load("gaussian", batch_size=8, labels=kind) for kind in ("", "random"))
    assert plain.digest == drawn.digest
    assert plain.labels == drawn.labels == ""


def test_bad_labels_are_refused() -> None:
    with pytest.raises(ZcbenchError, match='Did you mean "random"'):
        images.load("digits", batch_size=8, labels="randon")
    task = Task("jigsaw", Loss.CROSS_ENTROPY, 1000)
    with pytest.raises(ZcbenchError, match="leave out --labels"):
        images.for_task(images.load("digits", batch_size=8, labels="random"), task)


def test_a_recipe_with_true_labels_has_the_digest_that_it_always_had() -> None:
    recipe = Recipe("digits", "all", "0123456789abcdef", "none", 4, 0, "pytorch@1", 0)
    assert "labels" not in recipe.to_json()
    assert recipe.digest == "ace5a73fcf1853fb"
    assert replace(recipe, labels="random").digest != recipe.digest


def test_random_labels_change_what_looks_at_labels_and_not_a_bit_of_the_rest(place: Path) -> None:
    """Two datasets and two kinds of labels in one call; gaussian comes once, its labels are random in any case."""
    assert command("score", "--dataset", "digits", "--dataset", "gaussian", "--labels", "true", "--labels", "random",
                   "--architectures", "cell.txt", "--batch-size", "16", "--metrics", ",".join(LABEL_FREE + LABELLED),
                   "--workers", "1", "--store", "s.sqlite") == 0  # fmt: skip
    with Store(place / "s.sqlite", create=False) as store:
        frame, recipes = store.frame(), store.recipes()
    kinds = frame.groupby(["dataset", "labels"]).size()
    assert kinds.to_dict() == {("digits", "random"): 13, ("digits", "true"): 13, ("gaussian", "true"): 13}
    assert sorted(r.labels for r in recipes.values()) == ["", "", "random"]
    wide = frame[frame["dataset"] == "digits"].pivot(index="metric", columns="labels", values="value")
    assert wide.notna().all().all()
    for metric in LABEL_FREE:
        assert wide.loc[metric, "true"] == wide.loc[metric, "random"], metric
    for metric in LABELLED:
        assert wide.loc[metric, "true"] != wide.loc[metric, "random"], metric
    assert command("export", "--store", "s.sqlite", "--out", "s.csv") == 0
    assert set(pd.read_csv("s.csv")["labels"]) == {"true", "random"}


def test_an_analysis_takes_true_labels_unless_told_otherwise(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ("--benchmark", "nasbench201", "--dataset", "digits", "--batch-size", "4", "--metrics", "params,layers",
              "--workers", "1", "--store", "s.sqlite")  # fmt: skip
    assert command("score", *common, "--sample", "6", "--labels", "random") == 0
    assert command("score", *common, "--sample", "5") == 0
    capsys.readouterr()
    analyse = ("analyse", "--store", "s.sqlite", "--target", "cifar10", "--resamples", "10")
    assert command(*analyse) == 0
    said = capsys.readouterr()
    assert "labels at random" not in said.out  # although there are more of them
    assert "digits with random labels, batch 4" in said.err
    assert command(*analyse, "--labels", "random") == 0
    said = capsys.readouterr()
    assert "labels at random" in said.out
    assert "class-balanced mini-batch" in said.out
    assert "note: taking" not in said.err
    assert command(*analyse, "--labels", "randon") == 2
    assert 'Did you mean "random"' in capsys.readouterr().err
