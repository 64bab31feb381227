"""``zcbench check`` finds every kind of fault that was planted here, says where it is, and finds none where none is."""

import importlib
import json
import random
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from verbs import command

from zcbench.harness.candidate import NO_TIME, Result
from zcbench.harness.checking.behaviour import behaviour, waits
from zcbench.harness.checking.check import check
from zcbench.harness.checking.contracts import independent, repeats, same_in_company, unchanged
from zcbench.harness.checking.description import described, needs_used, travels
from zcbench.harness.checking.lasting import own_score, settings_unchanged
from zcbench.harness.checking.outcome import has_a_value
from zcbench.harness.checking.result import Examination, Finding
from zcbench.harness.checking.subjects import BRANCHED, CHAIN
from zcbench.harness.checking.trial import Trial, tried
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.metric import Checked, Metric, Undefined, metric, undefined_where
from zcbench.harness.metric_file import from_function, metrics_in
from zcbench.harness.passes.run import Run
from zcbench.harness.passes.spec import Labels, Logits, Parameters, ParamGradient, Passes, Procedure
from zcbench.harness.registry import metrics, select
from zcbench.harness.settings import kept
from zcbench.harness.types import Outcome

SOUND = {"version": 1, "cite": "written for a test of zcbench", "caveats": "means nothing", "higher_is_better": True}
FEW = (CHAIN, BRANCHED)


@metric("sound", **SOUND, gradients=ParamGradient())
def sound(gradients: dict[str, Tensor]) -> Tensor:
    """Sum the gradients' absolute values.

    Args:
        gradients: ∂L/∂W.

    Returns:
        The sum, [].
    """
    return torch.stack([g.abs().sum(dtype=torch.float64) for g in gradients.values()]).sum()


@metric("writes", **SOUND, gradients=ParamGradient())
def writes(gradients: dict[str, Tensor]) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for gradient in gradients.values():
        total += gradient.abs_().sum()
    return total


@metric("scales_weights", **SOUND, weights=Parameters())
def scales_weights(weights: dict[str, Tensor]) -> Tensor:
    for weight in weights.values():
        weight *= 1.5
    return torch.stack([w.abs().sum() for w in weights.values()]).sum()


@metric("draws", **SOUND, gradients=ParamGradient())
def draws(gradients: dict[str, Tensor]) -> Tensor:
    return sound.function(gradients) + torch.rand(())


@metric("draws_unseeded", **SOUND, gradients=ParamGradient())
def draws_unseeded(gradients: dict[str, Tensor]) -> Tensor:
    return sound.function(gradients) + np.random.default_rng().random()


@metric("reseeds", **SOUND, gradients=ParamGradient())
def reseeds(gradients: dict[str, Tensor]) -> Tensor:
    random.seed(3)
    return sound.function(gradients) + random.random()


CALLS: list[int] = []


@metric("counts_calls", **SOUND, gradients=ParamGradient())
def counts_calls(gradients: dict[str, Tensor]) -> Tensor:
    CALLS.append(1)
    return sound.function(gradients) + len(CALLS)


@metric("a_float", **SOUND, gradients=ParamGradient())
def a_float(gradients: dict[str, Tensor]) -> Tensor:
    return sound.function(gradients).item()


@metric("a_vector", **SOUND, logits=Logits())
def a_vector(logits: Tensor) -> Tensor:
    return logits.sum(0)


@metric("knows_a_layer", **SOUND, gradients=ParamGradient())
def knows_a_layer(gradients: dict[str, Tensor]) -> Tensor:
    return gradients["head.weight"].sum() + gradients["body.0.weight"].sum()


@metric("not_a_number", **SOUND, logits=Logits())
def not_a_number(logits: Tensor) -> Tensor:
    return (logits - logits).sum() / (logits - logits).sum()


@metric("variance", **SOUND, logits=Logits())
def variance(logits: Tensor) -> Tensor:
    return ((logits - logits.mean(0)) ** 2).sum() / torch.tensor(len(logits) - 1)


@metric("says_why", **SOUND, logits=Logits())
def says_why(logits: Tensor) -> Checked:
    if len(logits) < 2:
        raise Undefined("one image has no variance")
    value = variance.function(logits)
    return undefined_where(value, (value == 0, "all images give the same output"))


@metric("never", **SOUND, logits=Logits())
def never(logits: Tensor) -> Tensor:
    raise Undefined(f"not today, with {len(logits)} images")


@metric("without_a_reason", **SOUND, logits=Logits())
def without_a_reason(logits: Tensor) -> Tensor:
    raise Undefined


@metric("many_conditions", **SOUND, logits=Logits())
def many_conditions(logits: Tensor) -> Checked:
    return undefined_where(logits.sum(), (logits == 0, "a logit is zero"))


@metric("idle", **SOUND, parameters={"power": 2}, gradients=ParamGradient(), labels=Labels())
def idle(gradients: dict[str, Tensor], labels: Tensor) -> Tensor:
    return sound.function(gradients)


@metric("undescribed", version=0, cite="", caveats="?", higher_is_better=True, gradients=ParamGradient())
def undescribed(gradients: dict[str, Tensor]) -> Tensor:
    return sound.function(gradients)


@metric("waits_for_it", **SOUND, gradients=ParamGradient())
def waits_for_it(gradients: dict[str, Tensor]) -> Tensor:
    total = sound.function(gradients)
    return torch.tensor(2.0) if total.item() > 3 else total


@dataclass(frozen=True)
class Trace(Procedure):
    """A quantity of one's own that leaves something on the network."""

    left: str = ""

    @property
    def passes(self) -> Passes:
        return Passes()

    def compute(self, run: Run) -> Tensor:
        head, norm = run.network.get_submodule("head"), run.network.get_submodule("body.1")
        if self.left == "hook":
            head.register_forward_hook(lambda *_: None)
        elif self.left == "gradient":
            head.weight.grad = torch.ones_like(head.weight)
        elif self.left == "flag":
            norm.train(not norm.training)
            norm.requires_grad_(False)
        elif self.left == "buffer":
            run.network(run.batch.inputs)
        elif self.left == "module":
            run.network.add_module("pool", nn.AdaptiveMaxPool2d(1))
        elif self.left == "undone":
            with torch.no_grad():
                head.weight.mul_(2).div_(2)
        elif self.left == "images":
            run.batch.inputs.zero_()
        elif self.left == "forward":
            head.forward = lambda x: x
        return torch.ones(())


def leaving(what: str) -> Metric:
    made = metric("leaves", **SOUND, one=Trace(what))(lambda one: one)
    assert isinstance(made, Metric)
    return made


def told(finding: Finding) -> str:
    return " ".join((finding.came_out, finding.cause, finding.mend))


@pytest.mark.parametrize(
    ("planted", "words"),
    [(writes, ("alone", "total += gradient.abs_().sum()", "x = x * 2")), (scales_weights, ("weight *= 1.5",))],
)
def test_company_shows_what_writes_into_shared_values(
    planted: Metric, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a metric that comes with zcbench; others write into copies, and so change no other metric's score."""
    assert same_in_company(Trial(planted, 16), (CHAIN,)).holds is True
    monkeypatch.setattr(Metric, "ours", True)
    finding = same_in_company(Trial(planted, 16), (CHAIN,))
    assert finding.holds is False
    assert all(word in told(finding) for word in words), told(finding)


def test_company_shows_what_draws() -> None:
    finding = same_in_company(Trial(draws, 16), (CHAIN,))
    assert finding.holds is False
    assert "torch.rand(())" in finding.cause
    assert "Forward(inputs=Inputs.GAUSSIAN)" in finding.mend


@pytest.mark.parametrize(
    ("planted", "words"),
    [
        (writes, "the value of ParamGradient['body.0.weight']"),
        (scales_weights, "the value of Parameters['body.0.weight']"),
        (leaving("hook"), "the hooks of head"), (leaving("gradient"), "the gradient of head.weight"),
        (leaving("flag"), "body.1.weight requires a gradient"), (leaving("buffer"), "the buffer body.1.running_mean"),
        (leaving("module"), "the modules of the network"), (leaving("undone"), "the weights head.weight"),
        (leaving("images"), "the images"), (leaving("forward"), "the attributes of head"),
    ],
)  # fmt: skip
def test_traces_are_found_and_named(planted: Metric, words: str) -> None:
    finding = unchanged(Trial(planted, 16), (CHAIN,))
    assert finding.holds is False
    assert words in finding.came_out


def replaces_forward(network: nn.Module, inputs: Tensor, targets: Tensor) -> float:
    """As some published code does, for the whole program."""
    nn.Conv2d.forward = lambda self, x: self._conv_forward(x, self.weight.abs(), self.bias)  # type: ignore[method-assign]
    return float(network(inputs).detach().sum())


def test_settings_of_the_whole_program_are_noticed_and_put_back() -> None:
    forward = nn.Conv2d.forward
    finding = settings_unchanged(Trial(from_function(replaces_forward), 16), (CHAIN,))
    assert nn.Conv2d.forward is forward
    assert finding.holds is False
    assert finding.came_out == "the forward of every Conv2d changed on a plain chain"
    assert "nn.Conv2d.forward = lambda" in finding.cause


DECORATED = """
from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import Parameters
@metric("mine", version=1, cite="", caveats="", higher_is_better=True, weights=Parameters())
def mine(weights):
"""
PLAIN = "def mine(network, inputs, targets):\n"
TOTAL = "    return torch.stack([w.detach().abs().sum() for w in {weights}]).sum()\n"


def loaded(folder: Path, code: str, *, plain: bool = True) -> Trial:
    """Write a file whose import and function begin with some lines, and load its metric."""
    at_import, _, in_function = code.partition("|")
    head = f"import torch\n{at_import}\n" + (PLAIN if plain else DECORATED)
    total = TOTAL.format(weights="network.parameters()" if plain else "weights.values()")
    (folder / "mine.py").write_text(head + "".join(f"    {line}\n" for line in in_function.splitlines()) + total)
    return Trial(metrics_in(folder / "mine.py")[0], 16)


@pytest.mark.parametrize(
    ("code", "plain", "words"),
    [
        ("|torch.set_default_dtype(torch.float64)", True, "torch's default dtype"),
        ("|torch.set_default_dtype(torch.float64)", False, "torch's default dtype"),
        ("|torch.set_num_threads(1)", False, "torch's number of threads"),
        ("|torch.set_grad_enabled(not torch.is_grad_enabled())", True, "whether torch keeps gradients"),
        ("|torch.nn.functional.relu = lambda x: x", False, "torch.nn.functional.relu"),
        ("D = []|if not D:\n    torch.set_default_dtype(torch.float64)\nD.append(1)", True, "torch's default dtype"),
    ],
)
def test_settings_that_a_call_changes(code: str, plain: bool, words: str, tmp_path: Path) -> None:
    trial = loaded(tmp_path, code, plain=plain)
    threads = torch.get_num_threads()
    trial.on(CHAIN)  # an earlier call, as has_a_value makes many
    finding = settings_unchanged(trial, FEW)
    assert (finding.holds, finding.came_out) == (False, f"{words} changed on a plain chain")
    assert (torch.get_default_dtype(), torch.get_num_threads()) == (torch.float32, threads)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import nearby", "torch's default dtype"), ("torch.set_num_threads(torch.get_num_threads())", ""),
        ("torch.set_num_threads(1)", "torch's number of threads"),
        ("torch.nn.ReLU.forward = lambda self, x: x.relu()", "the forward of every ReLU"),
    ],
)  # fmt: skip
def test_settings_that_an_import_changes(
    code: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a metric's own test imports it: `registry.select` would refuse the file at once."""
    (tmp_path / "nearby.py").write_text("import torch\ntorch.set_default_dtype(torch.float64)\n")
    (tmp_path / "mine.py").write_text(f"import torch\n{code}\n{PLAIN}    return network.head.weight.detach().sum()\n")
    monkeypatch.syspath_prepend(tmp_path)
    with kept():
        mine = importlib.import_module("mine")
        finding = settings_unchanged(Trial(from_function(mine.mine), 16), (CHAIN,))
        after = set(sys.modules)
    for name in {"mine", "nearby"} & after:
        del sys.modules[name]
    assert finding.holds is not bool(words)
    assert finding.came_out == f"{words} changed when its file was imported" or not words
    assert "mine__afresh" not in after


def test_a_setting_that_is_put_back_is_none(tmp_path: Path) -> None:
    code = "|n = torch.get_num_threads()\ntorch.set_num_threads(1)\ntorch.set_num_threads(n)"
    assert settings_unchanged(loaded(tmp_path, code), FEW).holds
    assert settings_unchanged(loaded(tmp_path, "|network.nothing"), (CHAIN,)).holds  # that it fails is another matter


SOUND_FINDING = Finding("repeats", True, "", "")
MEMO = "C = {}|if KEY in C:\n    return C[KEY]\n"
ALL = "torch.stack([w.detach().abs().sum() for w in WEIGHTS]).sum()"


def memo(key: str, *, plain: bool, of: str = ALL) -> str:
    weights = "network.parameters()" if plain else "weights.values()"
    return (MEMO + f"C[KEY] = {of}\nreturn C[KEY]").replace("KEY", key).replace("WEIGHTS", weights)


@pytest.mark.parametrize(
    ("code", "plain", "words"),
    [
        (memo("len(list(network.parameters()))", plain=True), True, "a plain chain with other weights: "),
        (memo("tuple(weights)", plain=False), False, "a plain chain with other weights: "),
        (memo("str(network)", plain=True), True, "a plain chain with other weights: "),
        (memo("network.head.weight.sum().item()", plain=True, of="inputs.sum()"), True, "with other images: "),
        (memo("inputs.sum().item()", plain=True, of="inputs.sum() * targets.roll(1)[0]"), True, "with other labels: "),
        (memo("None", plain=True), True, "a plain chain with other weights: "),
        (memo("len(inputs)", plain=True).replace("C = {}", "from nearby import C"), True, "with other weights: "),
    ],
)  # fmt: skip
def test_results_that_are_kept_for_other_networks(code: str, plain: bool, words: str, tmp_path: Path) -> None:
    (tmp_path / "nearby.py").write_text("C = {}\n")
    trial = loaded(tmp_path, code, plain=plain)
    finding = own_score(trial, tried(trial.metric, FEW)[1], SOUND_FINDING)
    sys.modules.pop("nearby", None)
    assert finding.holds is False
    assert words in finding.came_out
    assert "C[" in finding.cause


@pytest.mark.parametrize("key", ["tuple(w.sum().item() for w in network.parameters())", "network"])
def test_a_memo_of_everything_that_counts_is_no_fault(key: str, tmp_path: Path) -> None:
    trial = loaded(tmp_path, memo(key, plain=True))
    assert own_score(trial, tried(trial.metric, FEW)[1], SOUND_FINDING).holds


def test_the_whole_check_tries_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one network, without the company of other metrics and what is only reported."""
    monkeypatch.setattr("zcbench.harness.checking.check.subjects", lambda: (CHAIN,) * 4)
    monkeypatch.setattr("zcbench.harness.checking.contracts.same_in_company", repeats)
    monkeypatch.setattr("zcbench.harness.checking.behaviour.behaviour", lambda *_: ())
    code = memo("len(list(network.parameters()))", plain=True)
    code = code.replace("|", "|torch.set_default_dtype(torch.float64)\n")
    found = check(loaded(tmp_path, code).metric, worker=False)
    assert [f.contract for f in found.broken] == ["settings of PyTorch unchanged", "each network gets its own score"]


def test_what_cannot_be_imported_anew_is_not_judged(tmp_path: Path) -> None:
    trial = loaded(tmp_path, "import sys\nif __name__.endswith('afresh'):\n    1 / 0")
    for finding in (settings_unchanged(trial, FEW), own_score(trial, {}, SOUND_FINDING)):
        assert finding.holds is None
        assert finding.came_out == "it cannot be imported anew: line 4: ZeroDivisionError: division by zero"
    inside = settings_unchanged(Trial(leaving("hook"), 16), FEW)
    assert inside.holds is None


def uses_its_copy(network: nn.Module, inputs: Tensor, targets: Tensor) -> float:
    """Change everything: it is a copy."""
    inputs.mul_(2)
    network.eval()
    loss = nn.functional.cross_entropy(network(inputs), targets)
    loss.backward()
    torch.nn.init.zeros_(network.head.weight)
    return loss.item() + torch.rand(1).item()


def test_a_plain_function_may_change_its_copy_and_draw() -> None:
    trial = Trial(from_function(uses_its_copy), 16)
    assert unchanged(trial, (CHAIN,)).holds
    assert "copy" in unchanged(trial, (CHAIN,)).came_out
    repeated = repeats(trial, FEW)
    assert repeated.holds
    assert independent(trial, repeated).holds
    assert "a plain function" in waits(trial, CHAIN)


@pytest.mark.parametrize(
    ("planted", "repeated", "random_state", "words"),
    [
        (sound, True, True, "where they were"), (draws, True, False, "torch.rand(())"),
        (draws_unseeded, False, None, "default_rng()"), (counts_calls, False, None, "no global variables"),
        (reseeds, True, False, "Python's global generator is not where it was"),
    ],
)  # fmt: skip
def test_repetition_and_random_state(
    planted: Metric, repeated: bool, random_state: bool | None, words: str
) -> None:
    first = repeats(Trial(planted, 16), FEW)
    second = independent(Trial(planted, 16), first)
    assert (first.holds, second.holds) == (repeated, random_state)
    assert words in told(first if first.holds is False else second)


@pytest.mark.parametrize(
    ("planted", "words"),
    [
        (a_float, ("the function returned ", "without .item()")), (a_vector, ("a tensor of shape [4]", ".sum()")),
        (knows_a_layer, ("KeyError: ", "line ", 'gradients["head.weight"].sum()', "name no layer")),
        (not_a_number, ("the value is nan", "undefined_where")), (never, ("no value anywhere", "not today")),
        (without_a_reason, ("`undefined` without a reason", "undefined_where")),
        (many_conditions, ('the condition of "a logit is zero" is ', ".any() or .all()")),
    ],
)  # fmt: skip
def test_outcomes_that_are_no_scores(planted: Metric, words: tuple[str, ...]) -> None:
    finding = has_a_value(*tried(planted, FEW))
    assert finding.holds is False
    assert all(word in told(finding) for word in words), told(finding)


def nothing(network: nn.Module, inputs: Tensor, targets: Tensor) -> None:
    """Return nothing."""


def test_a_plain_function_without_a_return() -> None:
    finding = has_a_value(*tried(from_function(nothing), (CHAIN,)))
    assert finding.holds is False
    assert "must return one number, not None" in finding.came_out
    assert finding.mend == "end with return float(...) of one number, or with a tensor of one value"


def test_no_value_on_one_image_is_no_fault_but_better_explained() -> None:
    bare, explained = (has_a_value(*tried(m, FEW)) for m in (variance, says_why))
    assert bare.holds
    assert explained.holds
    assert "one image: the value is nan" in bare.came_out
    assert "undefined_where" in bare.came_out
    assert explained.came_out == "; ".join(f"{s.name}, one image: one image has no variance" for s in FEW)


def test_what_is_declared_and_never_read() -> None:
    finding = needs_used(Trial(idle, 16))
    assert finding.holds is False
    assert finding.came_out == "labels (Labels) and the parameter power are never read"
    finding = needs_used(Trial(from_function(nothing), 16))
    assert (finding.holds, finding.came_out) == (False, "network is never read")


def test_a_description_that_is_missing() -> None:
    finding = described(Trial(undescribed, 16))
    assert finding.holds is False
    for part in ("cite is ''", "caveats is '?'", "version is 0", 'no "Args:"', 'no "Returns:"'):
        assert part in finding.came_out


def test_a_metric_within_a_function_cannot_travel() -> None:
    finding = travels(Trial(leaving(""), 16))
    assert finding.holds is False
    assert "at the top of the file" in finding.mend


class Here(ThreadPoolExecutor):
    """Stands for a new process, which takes seconds to start; tests/docs/test_plugins.py starts one, slowly."""

    def __init__(self, workers: int, mp_context: object) -> None:
        super().__init__(workers)


def test_a_worker_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zcbench.harness.checking.description.ProcessPoolExecutor", Here)
    trial = Trial(metrics()["snip"], 16)
    assert travels(trial).holds
    monkeypatch.setattr(Trial, "on", lambda self, subject, seed: Result(random.random(), Outcome.OK, "", NO_TIME))
    assert "the same bits" in travels(trial).expected
    monkeypatch.setattr("zcbench.harness.checking.description._elsewhere", lambda *_: 1 / 0)
    assert "there, ZeroDivisionError: division by zero" in travels(trial).came_out


def test_where_a_gpu_would_wait() -> None:
    assert waits(Trial(sound, 16), CHAIN) == "on a GPU: nothing in it waits for the device"
    assert "return torch.tensor(2.0) if total.item() > 3 else total" in waits(Trial(waits_for_it, 16), CHAIN)


def answers(name: str) -> dict[str, float | str]:
    found = behaviour(*tried(select(name)[0], (CHAIN,)))
    return {b.change.partition(" (")[0]: b.answer if b.factor is None else b.factor for b in found}


def test_the_behaviour_that_formulas_predict() -> None:
    scaled = "weights of convolutions before a batch norm x 3"
    norm, gradient, covariance, plain = (answers(name) for name in ("l2_norm", "grad_norm", "nwot", "params"))
    assert 1 < float(norm[scaled]) < 3  # the classifier's weights stay
    assert norm["images x 2"] == 1.0
    assert gradient["the same 8 images twice"] == pytest.approx(1)  # a mean over the images
    assert gradient["images and labels in reversed order"] == pytest.approx(1)
    assert "undefined" in str(covariance["one image a copy of another"])
    assert covariance["labels drawn at random"] == 1.0
    assert covariance[scaled] == pytest.approx(1, rel=1e-3)
    assert {v for k, v in plain.items() if k != "5 initialisations"} == {1.0}
    assert str(plain["5 initialisations"]).startswith("standard deviation 0,")


def test_a_metric_that_needs_more_images_gets_more() -> None:
    assert tried(select("swap(samples=40,repeats=1)")[0], (CHAIN,))[0].images == 64
    assert tried(sound, (CHAIN,))[0].images == 16


def quickly(metric: Metric) -> Examination:
    """What the verb prints, from three contracts; tests/docs/test_plugins.py runs all of it."""
    trial, ordinary = tried(metric, (CHAIN,))
    findings = (described(trial), needs_used(trial), has_a_value(trial, ordinary), repeats(trial, (CHAIN,)))
    notes = (waits(trial, CHAIN),)
    return Examination(metric.key, metric.version, str(trial.file), "-", findings, behaviour(trial, ordinary), notes)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("zcbench.harness.commands.check.check", quickly)
    return tmp_path / "mine.py"


def test_the_verb_in_json(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine.write_text("def mine(network, inputs, targets) -> float:\n    return network(inputs).detach().norm()\n")
    assert command("check", f"{mine}:mine", "snip", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    own, snip = printed["metrics"]
    assert (printed["schema"], own["metric"], own["version"], own["file"]) == (1, "mine", 1, str(mine))
    assert [found["holds"] for found in own["findings"]] == [True] * 4
    assert (own["holds"], snip["holds"], snip["metric"]) == (True, True, "snip")


def test_the_verb_explains_what_is_broken(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine.write_text("def mine(network, inputs, targets) -> float:\n    return inputs.nothing() / 0\n")
    assert command("check", str(mine)) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "BROKEN what it declares is used done: looked for the names" in printed
    assert "came out: network is never read expected: a score of the network" in printed
    assert "has no attribute 'nothing', line 2: return inputs.nothing() / 0" in printed
    assert "mine: 2 of 3 contracts broken" in printed


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("import torch\n1 / 0\n", 2, "mine.py cannot be imported: line 2: ZeroDivisionError: "),
        ("def f(:\n", 2, "mine.py cannot be imported: line 1: SyntaxError: "), ("x = 1\n", 2, "mine.py has no metric"),
        ("import sys\nsys.exit(0)\n", 2, "mine.py "), (None, 3, "there is no file"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used(
    text: str | None, code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / "mine.py").write_text(text)
    assert command("check", str(tmp_path / "mine.py")) == code
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("need", "words"),
    [(ParamGradient, "one is declared as ParamGradient, write ParamGradient()"),
     ("gradients", "one must be declared as a quantity, not 'gradients'")],
)  # fmt: skip
def test_a_declaration_that_is_no_quantity_is_refused_at_import(need: object, words: str) -> None:
    with pytest.raises(TypeError, match=re.escape(words)):
        metric("mistaken", **SOUND, one=need)(lambda one: one)  # type: ignore[arg-type]


def test_needs_that_cannot_be_made_are_told() -> None:
    made = metric("mistaken", **SOUND, one=lambda images: Logits())(lambda one: one)  # type: ignore[arg-type]
    with pytest.raises(ZcbenchError, match="cannot be made from its parameters: KeyError: 'images'"):
        check(made, worker=False)


QUICK_ENOUGH = [n for n, m in metrics().items() if not m.missing_parameters() and not n.startswith("zero_cost_")]
"""Those that do not take minutes on a single cell: a check scores dozens of them."""


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK_ENOUGH)
def test_all_metrics_of_zcbench_hold(name: str) -> None:
    assert check(metrics()[name], worker=False).broken == ()
