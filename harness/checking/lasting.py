"""The contracts of a metric about what outlives a call: settings of PyTorch, and results kept for other networks."""

from __future__ import annotations

import ast
import functools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from zcbench.harness.candidate import Result
from zcbench.harness.checking.afresh import afresh
from zcbench.harness.checking.contracts import KEEP_NOTHING
from zcbench.harness.checking.result import Finding
from zcbench.harness.checking.subjects import CHAIN, Subject, images
from zcbench.harness.checking.trial import Trial, calls, listed, said
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.metric import Metric
from zcbench.harness.passes.on_copy import OnCopy
from zcbench.harness.passes.run import MiniBatch
from zcbench.harness.settings import SETTINGS, kept
from zcbench.harness.types import Outcome

THREADS = "torch's number of threads"
PRETENDED = 3
"""Threads that a file is shown while it is watched: a number that no file sets by chance."""

Seen = dict[str, Any]
"""Settings by name."""


def settings_unchanged(trial: Trial, among: Sequence[Subject]) -> Finding:
    """Import the metric's file anew and score, and look at the settings of PyTorch before and after each step.

    `measure` puts settings back after every call, so the second look is taken within the call.

    Args:
        trial: the metric.
        among: networks; on the first one with a value the very first call of the new module is made.
    """
    contract = "settings of PyTorch unchanged"
    done = "compared settings and functions of PyTorch before and after import, and before and after the first calls"

    def broken(when: str, changed: Sequence[str]) -> Finding:
        lines = listed(trial.lines(lambda node: calls(*SETTERS)(node) or _assigns_an_attribute(node)))
        return Finding(
            contract, False, done, f"{' and '.join(changed)} changed {when}", "the same settings as before",
            f"it sets something for the whole program{lines}, which changes scores of other metrics",
            "leave it out, or put it back in a try ... finally; for float64, convert tensors: x.double()",
        )  # fmt: skip

    watch = _Watch([])
    with kept(), _pretended_threads() as threads:
        watch.threads = threads
        torch.set_default_dtype(torch.float32)  # what an earlier import set may be there still
        before = watch.now()
        try:
            with afresh(trial.metric) as new:
                if changed := _changed(before, watch.now()):
                    return broken("when its file was imported", changed)
                for subject in among:
                    Trial(watch.over(new), trial.images).on(subject)
                    for entered, left in watch.calls:
                        here = {k: v for k, v in entered.items() if k != GRADIENTS}  # a pass sets that for the call
                        if changed := _changed(before, here) or _changed(entered, left):
                            return broken(f"on {subject.name}", changed)
        except ZcbenchError as error:
            return Finding(contract, None, done, f"it cannot be imported anew: {error}")
    if not watch.calls:
        return Finding(contract, None, done, "the function was never reached")
    return Finding(contract, True, done, f"all {len(before)} as before, at import and on {len(among)} networks")


GRADIENTS = "whether torch keeps gradients"
SETTERS = (
    "set_default_dtype", "set_default_device", "set_default_tensor_type", "set_grad_enabled", "set_num_threads",
    "use_deterministic_algorithms", "set_float32_matmul_precision", "setattr",
)  # fmt: skip


def _assigns_an_attribute(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and any(isinstance(target, ast.Attribute) for target in node.targets)


def _changed(before: Seen, after: Seen) -> list[str]:
    return [name for name, value in after.items() if before[name] != value]


@dataclass
class _Watch:
    """Looks at the settings when a function is called and when it is left.

    Attributes:
        calls: the settings at the beginning and at the end of every call.
        threads: the number of threads that the function is shown.
    """

    calls: list[tuple[Seen, Seen]]
    threads: Callable[[], int] = torch.get_num_threads

    def now(self) -> Seen:
        """Return all settings."""
        return {name: read() for name, (read, _) in SETTINGS.items()} | {THREADS: self.threads()}

    def over(self, metric: Metric) -> Metric:
        """Return a metric whose function is watched."""
        plain = {k: q for k, q in metric.declared.items() if isinstance(q, OnCopy)}
        if not plain:
            return replace(metric, function=self._watched(metric.function))
        seen = {k: replace(q, function=self._watched(q.function)) for k, q in plain.items()}
        return replace(metric, declared={**metric.declared, **seen})

    def _watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            entered = self.now()
            try:
                return function(*arguments, **named)
            finally:
                self.calls.append((entered, self.now()))

        return call


@contextmanager
def _pretended_threads() -> Iterator[Callable[[], int]]:
    """Show everybody another number of threads, which takes no effect; gives the function that reads it.

    A file that sets the one thread of the check once more would go unnoticed, and more threads than there are cores
    wait for each other.
    """
    shown = [PRETENDED]
    real = torch.get_num_threads, torch.set_num_threads
    torch.get_num_threads = lambda: shown[0]
    torch.set_num_threads = lambda nthreads: shown.__setitem__(0, nthreads)
    try:
        yield lambda: shown[0]
    finally:
        torch.get_num_threads, torch.set_num_threads = real


def own_score(trial: Trial, ordinary: Mapping[Subject, Result], repeated: Finding) -> Finding:
    """Score networks that a memo may take for one, in both orders, and each alone in a module imported anew.

    They differ in nothing but weights, images or labels; the last one is another architecture.

    Args:
        trial: the metric, which has scored other networks.
        ordinary: what it gave on networks with an ordinary mini-batch.
        repeated: whether scores repeat at all.
    """
    contract = "each network gets its own score"
    done = "scored other weights, images and labels in two orders, and each alone with the file imported anew"
    if repeated.holds is not True:
        why = "it does not even repeat" if repeated.holds is False else repeated.came_out
        return Finding(contract, None, done, why)
    with_value = [subject for subject, result in ordinary.items() if result.outcome is Outcome.OK] or [CHAIN]
    cases = _cases(trial, with_value[0], with_value[-1])
    try:
        alone = {}
        for words, score in cases.items():
            with kept(), afresh(trial.metric) as new:
                alone[words] = said(score(Trial(new, trial.images)))
        with kept(), afresh(trial.metric) as new:
            backwards = {words: said(score(Trial(new, trial.images))) for words, score in reversed(cases.items())}
    except ZcbenchError as error:
        return Finding(contract, None, done, f"it cannot be imported anew: {error}")
    after_others = {words: said(score(trial)) for words, score in cases.items()}
    for found in (after_others, backwards):
        for words, value in found.items():
            if value != alone[words]:
                return Finding(
                    contract, False, done, f"{words}: {alone[words]} alone, {value} after others", "the same bits",
                    "it keeps a result for later under a key that two networks share, such as names, shapes or counts"
                    f"{listed(trial.lines(_keeps))}", KEEP_NOTHING,
                )  # fmt: skip
    return Finding(contract, True, done, f"bit-equal in {len(cases)} cases")


def _cases(trial: Trial, one: Subject, other: Subject) -> dict[str, Callable[[Trial], Result]]:
    """Return what to score, by what it is."""
    batch = trial.batch()
    others = replace(batch, inputs=images(trial.images, number=trial.further + 1))

    def score(subject: Subject, data: MiniBatch, seed: int = 0) -> Callable[[Trial], Result]:
        def of(used: Trial) -> Result:
            random.seed(0)
            np.random.seed(0)
            torch.manual_seed(0)
            return used.on(subject, data, seed=seed)

        return of

    found = {
        one.name: score(one, batch),
        f"{one.name} with other weights": score(one, batch, 1),
        f"{one.name} with other images": score(one, others),
        f"{one.name} with other labels": score(one, trial.edges()["random labels"]),
    }
    return found | {other.name: score(other, batch), f"{other.name} with other weights": score(other, batch, 1)}


def _keeps(node: ast.AST) -> bool:
    """Whether a node keeps something under a key: ``memo[key] = x``, ``memo.setdefault(key, x)``, ``global memo``."""
    if isinstance(node, ast.Global) or calls("setdefault")(node):
        return True
    return isinstance(node, ast.Assign) and any(isinstance(target, ast.Subscript) for target in node.targets)
