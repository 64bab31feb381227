"""Metrics from a user's file: loaded, scored in every process, refused when their code changed unnoticed."""

import os
import pickle
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from verbs import command

from networks import KEY, batch, make
from zcbench.harness import registry
from zcbench.harness.candidate import measure
from zcbench.harness.described import Described
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.metric_file import digest_of, from_function, metrics_in
from zcbench.harness.source_file import code_digest
from zcbench.harness.store import Store
from zcbench.harness.types import Outcome

DECORATED = '''"""A metric."""

from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import ParamGradient


@metric("largest", version=1, cite="nobody", caveats="none", higher_is_better=False, gradients=ParamGradient())
def largest(gradients):
    """Return the largest gradient."""
    return max(g.abs().max() for g in gradients.values())
'''
PLAIN = '''import torch


def spread(network, inputs, targets):
    """Break whatever can be broken."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.rand(()))
    inputs.zero_()
    targets.fill_(-1)
    return network(inputs).std() + torch.rand(())


def other(a, b):
    return 0.0
'''
FAST = ["--dataset", "digits", "--resolution", "8", "--batch-size", "4", "--limit", "4", "--sample", "4",
        "--workers", "1"]  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "largest.py").write_text(DECORATED)
    (tmp_path / "spread.py").write_text(PLAIN)
    return tmp_path


def test_a_decorated_metric_is_fused_with_the_others(files: Path) -> None:
    chosen = registry.select(f"{files / 'largest.py'},snip")
    assert [m.name for m in chosen] == ["largest", "snip"]
    network, data = make("plain"), batch()
    found = measure(network, data, chosen, key=KEY)
    torch.nn.functional.cross_entropy(network(data.inputs), data.targets).backward()
    weights = [m.weight for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert found["largest"].value == pytest.approx(max(float(w.grad.abs().max()) for w in weights), rel=1e-12)


def test_a_plain_function_cannot_change_anything(files: Path) -> None:
    (metric,) = metrics_in(files / "spread.py")
    assert metric.name == "spread"
    assert "outside of the shared passes" in metric.own_passes
    network, data = make("plain"), batch()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    images, of_python, of_numpy = data.inputs.clone(), random.getstate(), np.random.get_state()[1].copy()
    first = measure(network, data, [metric], key=KEY)["spread"]
    torch.manual_seed(7)
    second = measure(network, data, [metric], key=KEY)["spread"]
    assert first.outcome is Outcome.OK
    assert first.value == second.value
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())
    assert torch.equal(data.inputs, images)
    assert data.targets.min() == 0
    torch.manual_seed(3)
    state = torch.get_rng_state()
    other = measure(network, data, [metric], key=("another", 0, "network"))["spread"]
    assert torch.equal(torch.get_rng_state(), state)
    assert random.getstate() == of_python
    assert (np.random.get_state()[1] == of_numpy).all()
    assert other.value != first.value


@pytest.mark.parametrize("returned", ["'text'", "None", "True", "torch.zeros(2)", "[1.0]"])
def test_a_plain_function_must_return_one_number(tmp_path: Path, returned: str) -> None:
    path = tmp_path / "f.py"
    path.write_text(f"import torch\ndef f(network, inputs, targets):\n    return {returned}\n")
    found = measure(make("plain"), batch(), metrics_in(path), key=KEY)["f"]
    assert found.outcome is Outcome.FAILED
    assert "f must return one number, not" in found.reason


def test_a_plain_function_may_describe_itself() -> None:
    def mine(network, inputs, targets):  # type: ignore[no-untyped-def]
        return 1

    mine.version, mine.higher_is_better, mine.cite = 3, False, "a paper"  # type: ignore[attr-defined]
    metric = from_function(mine)
    assert (metric.version, metric.higher_is_better, metric.cite) == (3, False, "a paper")
    assert measure(make("plain"), batch(), [metric], key=KEY)["mine"].value == 1.0


@pytest.mark.parametrize(
    ("attribute", "value", "wanted"),
    [("higher_is_better", "'no'", "True or False"), ("version", "'two'", "a whole number of 1 or more"),
     ("version", "0", "a whole number of 1 or more"), ("version", "True", "a whole number"), ("cite", "3", "a text")],
)  # fmt: skip
def test_what_a_plain_function_says_of_itself_is_checked(
    tmp_path: Path, attribute: str, value: str, wanted: str
) -> None:
    path = tmp_path / "f.py"
    path.write_text(f"def f(network, inputs, targets):\n    return 1.0\nf.{attribute} = {value}\n")
    with pytest.raises(ZcbenchError, match=rf"f\.{attribute} must be {wanted}"):
        metrics_in(path)


@pytest.mark.parametrize("kind", ["async def f(network, inputs, targets):\n    return 1.0",
                                  "def f(network, inputs, targets):\n    yield 1.0"])  # fmt: skip
def test_a_coroutine_is_no_metric(tmp_path: Path, kind: str) -> None:
    (tmp_path / "f.py").write_text(kind)
    with pytest.raises(ZcbenchError, match="leave out async and yield"):
        metrics_in(tmp_path / "f.py")


def test_nan_is_undefined(tmp_path: Path) -> None:
    path = tmp_path / "f.py"
    path.write_text("def f(network, inputs, targets):\n    return float('nan')\n")
    found = measure(make("plain"), batch(), metrics_in(path), key=KEY)["f"]
    assert (found.outcome, found.reason) == (Outcome.UNDEFINED, "the value is nan")


def test_it_travels_to_another_process(files: Path) -> None:
    for name in ("largest.py", "spread.py"):
        (metric,) = metrics_in(files / name)
        again = pickle.loads(pickle.dumps(metric))
        assert (again.name, again.source) == (metric.name, metric.source)
    content = pickle.dumps(metric)
    (files / "spread.py").write_text(PLAIN.replace("zero_", "abs_"))
    with pytest.raises(ZcbenchError, match="was changed while"):
        pickle.loads(content)


@pytest.mark.parametrize(
    ("text", "message"),
    [("x = 1 / 0", r"line 1: ZeroDivisionError: division by zero"), ("def f(:", "line 1: SyntaxError"),
     ("raise SystemExit(0)", "line 1: SystemExit: 0"),
     ("def g(a): return 1", "has no metric: decorate"), ("import nothing_here", "line 1: ModuleNotFoundError")],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(ZcbenchError, match=message) as caught:
        registry.select(str(path))
    assert "\n" not in str(caught.value)


def test_a_quantity_without_brackets_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(DECORATED.replace("ParamGradient())", "ParamGradient)"))
    with pytest.raises(ZcbenchError, match=r"gradients is declared as ParamGradient, write ParamGradient\(\)"):
        registry.select(str(path))


def test_a_file_of_the_name_is_told(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    with pytest.raises(ZcbenchError, match=r"There is a file of that name here: write spread\.py"):
        registry.select("spread")


def test_unknown_names_are_told(files: Path) -> None:
    with pytest.raises(ZcbenchError, match=r'has no metric "sprea"\. Did you mean "spread"'):
        registry.select(f"{files / 'spread.py'}:sprea")
    with pytest.raises(MissingFileError, match="there is no file"):
        registry.select(str(files / "absent.py"))
    with pytest.raises(ZcbenchError, match="other must take network, inputs and targets: too many positional"):
        registry.select(f"{files / 'spread.py'}:other")


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def snip(network, inputs, targets):\n    return 0.0\n")
    with pytest.raises(ZcbenchError, match="there is a metric called snip already: rename the one in"):
        registry.select(str(path))
    with pytest.raises(ZcbenchError, match="called snip already"):
        registry.include(path)
    assert registry.metrics()["snip"].source is None


def test_an_included_folder_is_taken_back(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "test_largest.py").write_text("raise SystemExit")
    (files / "shared.py").write_text("K = 1\n")
    assert command("list", "metrics", "--include-path", str(files)) == 0
    assert "spread" in capsys.readouterr().out
    assert "spread" not in registry.metrics()
    assert "largest" not in registry.groups()["literature"]


def test_a_file_that_changes_within_a_second_is_read_anew(tmp_path: Path) -> None:
    """The bytecode that Python keeps is found by size and second alone."""
    path = tmp_path / "f.py"
    values = []
    for number in (1, 2):
        path.write_text(f"def f(network, inputs, targets):\n    return {number}.0\n")
        os.utime(path, (1_000_000_000, 1_000_000_000))
        values.append(measure(make("plain"), batch(), metrics_in(path), key=KEY)["f"].value)
    assert values == [1.0, 2.0]


def test_comments_and_citations_are_no_code(files: Path) -> None:
    path = files / "largest.py"
    before = code_digest(path)
    path.write_text(DECORATED.replace("nobody", "somebody").replace('"""Return', '# why\n    """Give back'))
    assert code_digest(path) == before
    path.write_text(DECORATED.replace("max(g", "min(g"))
    assert code_digest(path) != before
    assert digest_of(registry.metrics()["snip"]) == ""


def test_the_code_of_neighbours_counts(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    files = {
        "mine.py": "from near import K\nimport torch\n", "near.py": "import part.far\nK = 1\n",
        "part/__init__.py": "", "part/far.py": "import mine\n", "other.py": "K = 1\n",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    digests = [code_digest(tmp_path / "mine.py")]
    for name in ("other.py", "near.py", "part/far.py"):
        (tmp_path / name).write_text(files[name] + "L = 2\n")
        digests.append(code_digest(tmp_path / "mine.py"))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_changed_code_needs_a_new_version_or_a_word(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files)
    score = ["score", "--metrics", "largest.py", "--store", "s.sqlite", *FAST]
    assert command(*score) == 0
    with Store(files / "s.sqlite", create=False) as store:
        before = store.frame()["value"]
        (described,) = store.described().values()
    assert (described.higher_is_better, described.cite, len(described.code)) == (False, "nobody", 16)
    (files / "largest.py").write_text(DECORATED.replace("return max(g.abs().max()", "return sum(g.abs().sum()"))
    capsys.readouterr()
    assert command(*score) == 2
    assert "raise its version, or compute them anew with --rescore" in capsys.readouterr().err
    with Store(files / "s.sqlite", create=False) as store:
        assert store.frame()["value"].equals(before)
    assert command(*score, "--rescore") == 0
    with Store(files / "s.sqlite", create=False) as store:
        assert (store.frame()["value"] > before).all()


def test_scores_of_nobody_knows_which_code_are_no_scores_of_this_one(files: Path) -> None:
    """A store of an earlier zcbench says nothing about the code of a plug-in's metric."""
    path = files / "s.sqlite"
    assert command("score", "--metrics", str(files / "largest.py"), "--store", str(path), *FAST) == 0
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE metrics")
    (own,) = metrics_in(files / "largest.py")
    with Store(path) as store, pytest.raises(ZcbenchError, match="that other code made"):
        store.describe([Described.of(own)])
    with Store(path) as store:
        store.describe([Described.of(registry.metrics()["snip"])])
        assert list(store.described()) == [("snip", 1)]


def test_a_store_is_analysed_without_the_code_of_its_metrics(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The direction is that of the store: a low value of this metric stands for a high accuracy."""
    monkeypatch.chdir(files)
    name = "params_reversed"
    (files / "r.py").write_text(
        "import torch\nfrom zcbench.harness.metric import metric\n"
        "from zcbench.harness.passes.spec import ParameterCount\n"
        f'@metric("{name}", version=2, cite="c", caveats="c", higher_is_better=False, count=ParameterCount())\n'
        "def reversed_count(count):\n    return -torch.as_tensor(float(count))\n"
    )
    some = [*FAST, "--sample", "12", "--limit", "12"]
    assert command("score", "--metrics", "r.py,params", "--store", "s.sqlite", *some) == 0
    (files / "r.py").unlink()
    assert command("analyse", "--store", "s.sqlite", "--target", "cifar10", "--out", "a", "--resamples", "10") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("params")]
    values = {line[0]: line[1] for line in lines}
    assert values["params"] == values[name]


def test_seeds_may_start_elsewhere(tmp_path: Path) -> None:
    common = ["score", "--metrics", "l2_norm", "--store", str(tmp_path / "s.sqlite"), *FAST, "--limit", "2"]
    assert command(*common, "--seeds", "3") == 0
    assert command(*common, "--seeds", "2", "--first-seed", "2") == 0
    with Store(tmp_path / "s.sqlite", create=False) as store:
        frame = store.frame()
    assert sorted(frame["init_seed"].unique()) == [0, 1, 2, 3]
    assert len(frame) == 8


SETTING = {
    "default dtype": ("torch.set_default_dtype(torch.float64)", "torch's default dtype"),
    "threads": ("torch.set_num_threads(3)", "torch's number of threads"),
    "no gradients": ("torch.set_grad_enabled(False)", "whether torch keeps gradients"),
    "device": ("torch.set_default_device('meta')", "torch's default device"),
    "a layer": ("torch.nn.ReLU.forward = lambda self, x: x", "the forward of every ReLU"),
    "all norms": (
        "torch.nn.modules.batchnorm._BatchNorm.forward = lambda self, x: x", "the forward of every _BatchNorm",
    ),
    "a function": ("torch.nn.functional.relu = lambda x, inplace=False: 2 * x", "torch.nn.functional.relu"),
    "all modules": ("torch.nn.Module.__call__ = lambda self, x: x", "what calling a module does"),
}


@pytest.mark.parametrize(("line", "told"), SETTING.values(), ids=SETTING)
def test_no_file_changes_the_scores_of_other_metrics(
    tmp_path: Path, line: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = registry.select("snip,grasp,zen")
    alone = {k: r.value for k, r in measure(make("plain"), batch(), chosen, key=KEY).items()}
    Path("late.py").write_text(f"import torch\ndef late(network, inputs, targets):\n    {line}\n    return 1.0\n")
    together = measure(make("plain"), batch(), [*registry.select("late.py"), *chosen], key=KEY)
    assert {k: together[k].value for k in alone} == alone
    assert together["late"].value == 1.0
    Path("early.py").write_text(f"import torch\n{line}\ndef early(network, inputs, targets):\n    return 1.0\n")
    with pytest.raises(ZcbenchError, match=f"early.py changes {told} when it is imported"):
        registry.select("early.py")
    assert {k: r.value for k, r in measure(make("plain"), batch(), chosen, key=KEY).items()} == alone


SPOILING = """
import torch
from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import Logits, Parameters, ParamGradient

@metric("aaa", version=1, cite="-", caveats="-", higher_is_better=True,
        weights=Parameters(), gradients=ParamGradient(), both=(Logits(), Logits()))
def aaa(weights, gradients, both):
    both[0].zero_()
    gradients.popitem()
    return torch.stack([w.fill_(3.0).sum() for w in weights.values()]).sum()
"""


@pytest.mark.parametrize("order", [1, -1])
def test_a_metric_that_writes_into_its_arguments_changes_no_other(tmp_path: Path, order: int) -> None:
    (tmp_path / "aaa.py").write_text(SPOILING)
    chosen = registry.select("plain,grasp,snip,l2_norm,epe_nas")
    alone = {k: r.value for k, r in measure(make("plain"), batch(), chosen, key=KEY).items()}
    network = make("plain")
    before = [parameter.clone() for parameter in network.parameters()]
    together = measure(network, batch(), [*registry.select(str(tmp_path / "aaa.py")), *chosen][::order], key=KEY)
    assert together["aaa"].outcome is Outcome.OK, together["aaa"]
    assert {k: together[k].value for k in alone} == alone
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_a_setting_does_not_reach_the_next_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process the next network is built while metrics run, but not beside code of somebody else's."""
    monkeypatch.chdir(tmp_path)
    Path("late.py").write_text(
        "import time\nimport torch\ndef late(network, inputs, targets):\n    torch.set_default_dtype(torch.float64)\n"
        "    time.sleep(0.3)\n    return 1.0\n"
    )
    for store, metrics in (("a.sqlite", "l2_norm"), ("b.sqlite", "late.py,l2_norm")):
        assert command("score", "--metrics", metrics, "--store", store, *FAST) == 0
    values = []
    for name in ("a.sqlite", "b.sqlite"):
        with Store(Path(name), create=False) as store:
            frame = store.frame()
        values.append(frame[frame["metric"] == "l2_norm"].set_index("architecture")["value"])
    assert values[0].equals(values[1])
