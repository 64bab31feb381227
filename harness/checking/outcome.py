"""Whether a metric gives a number, or says why not, on networks and mini-batches of many kinds."""

from __future__ import annotations

import ast
from collections.abc import Mapping

import torch

from zcbench.harness.candidate import Result
from zcbench.harness.checking.result import Finding
from zcbench.harness.checking.subjects import BRANCHED, CHAIN, Subject
from zcbench.harness.checking.trial import Trial, calls, listed
from zcbench.harness.metric import Checked
from zcbench.harness.passes.run import MiniBatch
from zcbench.harness.types import Outcome

CONTRACT = "a finite number, or `undefined` with a reason"
BARE = "the value is "
"""How the reason begins that the harness gives where a metric gives none: ``the value is nan``."""


def has_a_value(trial: Trial, ordinary: Mapping[Subject, Result]) -> Finding:
    """Look at the outcomes on networks, and score unusual mini-batches: a finite number, or a reason for none.

    Args:
        trial: the metric.
        ordinary: what it gave on every network with an ordinary mini-batch.
    """
    results: list[tuple[Subject, str, MiniBatch | None, Result]] = [
        (subject, subject.name, None, result) for subject, result in ordinary.items()
    ]
    for subject in (CHAIN, BRANCHED):
        for words, edge in trial.edges().items():
            results.append((subject, f"{subject.name}, {words}", edge, trial.on(subject, edge)))
    done = f"scored {len(ordinary)} networks on {trial.images} images, and two of them on 5 unusual mini-batches"
    for subject, words, batch, result in results:
        if result.outcome is Outcome.FAILED:
            return _failed(trial, subject, words, batch, result)
        if result.outcome is Outcome.UNDEFINED and not result.reason.strip():
            return Finding(
                CONTRACT, False, f"scored it on {words}", "`undefined` without a reason",
                "a reason that a reader of a report understands", "raise Undefined() without a text",
                _say_why(trial),
            )  # fmt: skip
    for _, words, batch, result in results:
        if batch is None and result.reason.startswith(BARE):
            return Finding(
                CONTRACT, False, f"scored it on {words}", result.reason,
                "a finite number, or `undefined` with a reason in words that a reader of a report understands",
                "a division by zero, a logarithm of zero, or a variance of one value" + listed(trial.lines(_divides)),
                _say_why(trial),
            )  # fmt: skip
    reasons = dict.fromkeys(f"{words}: {result.reason}" for _, words, _, result in results if result.reason)
    if not any(result.outcome is Outcome.OK for *_, result in results):
        return Finding(
            CONTRACT, False, done, "no value anywhere; on " + next(iter(reasons)),
            "a number on at least one of the networks", "a condition that always holds, or parameters that need more",
            "check it with parameters that fit small images and mini-batches: zcbench check \"FILE:NAME(images=8)\"",
        )  # fmt: skip
    came_out = listed(list(reasons), 3)[2:-1] or "a number everywhere"
    if any(result.reason.startswith(BARE) for *_, result in results):
        came_out += f". To tell a reader why: {_say_why(trial)}"
    return Finding(CONTRACT, True, done, came_out)


def _say_why(trial: Trial) -> str:
    if trial.plain is not None:
        return 'raise Undefined("why there is no value"), from zcbench.harness.metric import Undefined'
    return (
        'return undefined_where(value, (condition, "why there is no value")) from zcbench.harness.metric, or raise '
        'Undefined("why") where it is known without looking at numbers'
    )


def _failed(trial: Trial, subject: Subject, words: str, batch: MiniBatch | None, result: Result) -> Finding:
    fault = trial.fault(subject, batch)
    expected = "one number, as a torch tensor without dimensions, or `undefined` with a reason"
    if not isinstance(fault, BaseException):
        returned, cause, mend = _returned(fault, result)
        return Finding(CONTRACT, False, f"scored it on {words}", returned, expected, cause, mend)
    text = " ".join(str(fault).split())
    cause, mend = _explained(fault, text)
    return Finding(
        CONTRACT, False, f"scored it on {words}", f"{type(fault).__name__}: {text[:200]}{trial.where(fault)}",
        expected, cause, mend,
    )  # fmt: skip


def _returned(returned: object, result: Result) -> tuple[str, str, str]:
    """Say what is wrong with what a function returned: what it is, the likely cause, and how to mend it."""
    value = returned.value if isinstance(returned, Checked) else returned
    if not isinstance(value, torch.Tensor) or value.dim():
        return (
            f"the function returned {_shown(value)}",
            "a sum or mean is missing, or .item() or float() took the number out of its tensor",
            "end with .sum(), .mean() or torch.tensor(number, dtype=torch.float64), without .item()",
        )
    if isinstance(returned, Checked):
        for condition, reason in returned.conditions:
            if not isinstance(condition, torch.Tensor) or condition.dim():
                return (
                    f'the condition of "{reason}" is {_shown(condition)}',
                    "it is compared element by element, or by Python",
                    "reduce it to one boolean tensor, with .any() or .all() behind the comparison",
                )  # fmt: skip
    return result.reason, "what is returned cannot be read as a number", "return one real number in a tensor"


def _shown(value: object) -> str:
    return f"a tensor of shape {list(value.shape)}" if isinstance(value, torch.Tensor) else f"{value!r:.80}"


EXPLAINED: tuple[tuple[type[BaseException], str, str, str], ...] = (
    (TypeError, "must return one number", "a return is missing, or a sum or mean in it",
     "end with return float(...) of one number, or with a tensor of one value"),
    (KeyError, "", "a name that not every network has",
     "go through the names that you are given, for name, w in weights.items(), and name no layer"),
    (RuntimeError, "non-empty", "torch.stack or cat of nothing: not every network has such layers or images",
     'raise Undefined("the network has no such layer") from zcbench.harness.metric where the list is empty'),
    (RuntimeError, "does not require grad", "what a metric is given has no graph: it cannot be differentiated again",
     "declare the derivative itself: ParamGradient, HessianGradient, or InputGradientCorrelation"),
    (RuntimeError, "inplace", "a value that a gradient needs was changed in place",
     "use x = x * 2 instead of x.mul_(2) or x *= 2, or work on x.clone()"),
    (RuntimeError, "size of tensor", "tensors of unlike shapes: layers and mini-batches differ in size",
     "reduce every layer to one number before layers are put together, and read sizes off the tensors"),
    (RuntimeError, "dtype", "tensors of unlike types: weights may be float32 or float64",
     "make new tensors with like.new_zeros(...) or torch.zeros_like(...), and sum with dtype=torch.float64"),
    (AttributeError, "", "a layer or a value is of another kind than the function takes for granted",
     "look at the kind first, isinstance(module, nn.Conv2d), and see the shapes in zcbench.harness.passes.spec"),
    (IndexError, "", "fewer layers, images or classes than the function takes for granted",
     'raise Undefined("needs two images of a class, ...") from zcbench.harness.metric where there are too few'),
    (ZeroDivisionError, "", "a count that is zero on this network or mini-batch",
     'raise Undefined("...") from zcbench.harness.metric where the count is zero'),
)  # fmt: skip
"""Kinds of exceptions with a part of their text, what is likely behind them, and what to do."""


def _explained(fault: BaseException, text: str) -> tuple[str, str]:
    for kind, part, cause, mend in EXPLAINED:
        if isinstance(fault, kind) and part in text:
            return cause, mend
    return (
        "the function takes something for granted that does not hold on this network and mini-batch",
        'mend that line, or raise Undefined("why") from zcbench.harness.metric where there can be no value',
    )


def _divides(node: ast.AST) -> bool:
    of_zero = calls("log", "log2", "log10", "var", "std", "corrcoef", "logdet", "slogdet", "inverse")
    return (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)) or of_zero(node)
