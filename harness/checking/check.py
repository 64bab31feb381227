"""The contracts of a metric, tried on it one after the other: what ``zcbench check`` and a metric's own test run."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from zcbench.harness.checking import behaviour as reported
from zcbench.harness.checking import contracts
from zcbench.harness.checking.description import described, look_at_needs, needs_used, travels
from zcbench.harness.checking.lasting import own_score, settings_unchanged
from zcbench.harness.checking.outcome import has_a_value
from zcbench.harness.checking.result import Behaviour, Examination, Finding
from zcbench.harness.checking.subjects import BRANCHED, CHAIN, subjects
from zcbench.harness.checking.trial import Trial, tried
from zcbench.harness.machine import HERE
from zcbench.harness.metric import Metric
from zcbench.harness.settings import fixed, kept

__all__ = ["Behaviour", "Examination", "Finding", "check"]


def check(metric: Metric, *, worker: bool = True) -> Examination:
    """Try the contracts of a metric on small networks, and look how its score behaves.

    Judged are: the description; that what it declares is used; a finite number or `undefined` with a reason on
    networks and mini-batches of many kinds; the same bits alone, in company and in reversed order; network,
    mini-batch, shared values and settings of PyTorch unchanged; the same bits when repeated, and whatever was scored
    before; independence of the global random state; and that a worker process gives the same bits. Everything runs on
    the CPU, in one thread.

    Args:
        metric: the metric, with its parameters.
        worker: whether to start a worker process, which takes seconds.

    Raises:
        ZcbenchError: if the metric cannot be tried at all.
    """
    look_at_needs(metric)
    with fixed(HERE), kept(), _random_state_kept(), torch.enable_grad(), _warnings() as warned:
        every = subjects()
        trial, ordinary = tried(metric, every)
        few = (CHAIN, BRANCHED, every[3], every[-1])
        repeated = contracts.repeats(trial, few)
        findings = [
            described(trial), needs_used(trial), has_a_value(trial, ordinary), contracts.same_in_company(trial, few),
            contracts.unchanged(trial, few), settings_unchanged(trial, few), repeated,
            own_score(trial, ordinary, repeated), contracts.independent(trial, repeated),
        ]  # fmt: skip
        findings += [travels(trial)] if worker else []
        behaviour = reported.behaviour(trial, ordinary)
        usable = [subject for subject, result in ordinary.items() if result.value is not None]
        notes: tuple[str, ...] = (reported.waits(trial, usable[0]), reported.cost(trial, every[2])) if usable else ()
    notes += tuple(dict.fromkeys(f"a warning: {_placed(one)}" for one in warned))
    return Examination(
        metric.key, metric.version, str(trial.file or ""), _of(trial), tuple(findings), behaviour, notes
    )


def _of(trial: Trial) -> str:
    """Say what the metric is computed from."""
    if trial.plain is not None:
        return "a plain function, run on a copy of the network"
    kinds = dict.fromkeys(type(q).__name__ for q in trial.metric.needs.quantities())
    own = trial.metric.own_passes
    return "a function of " + ", ".join(kinds) + (f"; passes of its own: {own}" if own else "")


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Put the global random generators back to where they were."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)


@contextmanager
def _warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Collect the warnings of Python and PyTorch, instead of printing them again and again."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield caught


def _placed(one: warnings.WarningMessage) -> str:
    """Return the first sentence of a warning, and where it came from."""
    text = " ".join(str(one.message).split()).partition(" (Triggered internally")[0]
    return f"{Path(one.filename).name}, line {one.lineno}: {text[:200]}"
