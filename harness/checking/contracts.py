"""The contracts of a metric about bits and traces: company, order, repetition, random state, what it leaves behind."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from zcbench.harness.candidate import measure
from zcbench.harness.checking.result import Finding
from zcbench.harness.checking.subjects import CHAIN, Subject
from zcbench.harness.checking.traces import differences, function_leaves, print_of
from zcbench.harness.checking.trial import Trial, calls, listed, said, writes_in_place
from zcbench.harness.registry import select
from zcbench.harness.types import Outcome

DRAWS = (
    "rand", "randn", "rand_like", "randn_like", "randint", "randint_like", "randperm", "normal", "bernoulli",
    "multinomial", "dropout", "choice", "shuffle", "sample", "random", "uniform", "permutation", "default_rng",
    "standard_normal", "normal_", "uniform_", "bernoulli_", "random_", "kaiming_normal_", "kaiming_uniform_",
    "xavier_normal_", "xavier_uniform_", "reset_parameters",
)  # fmt: skip
"""Names of functions that draw random numbers."""

DRAW_IT_SO = (
    "declare what is drawn, so that the recipe seeds it: Forward(inputs=Inputs.GAUSSIAN) or Forward(weights="
    "Weights.NORMAL, draw=0) in a quantity; or write a plain function, whose draws are seeded before every call"
)
WORK_ON_COPIES = (
    "give new tensors back instead, x = x * 2 for x.mul_(2) or x *= 2; change nothing that you were given, or work on "
    "x.clone(); for derivatives take the quantity ParamGradient, or torch.autograd.grad in a quantity of your own"
)
KEEP_NOTHING = (
    "compute everything from the arguments: no global variables, no caches, no clock; what is drawn must be declared "
    "(Forward(inputs=Inputs.GAUSSIAN)) or come from torch's global generator in a plain function"
)


def same_in_company(trial: Trial, among: Sequence[Subject]) -> Finding:
    """Score the metric alone, and with the group standard before and after it; and the group without it."""
    contract = "the same bits alone and in company"
    done = "scored it alone, with the group standard, and with the group in reversed order"
    company = [metric for metric in select("standard") if metric.key != trial.metric.key]
    for subject in among:
        alone = trial.on(subject)
        if alone.outcome is Outcome.FAILED:
            return Finding(contract, None, done, f"it fails on {subject.name} without any company")
        others = measure(subject.network(), trial.batch(), company, key=subject.key(), origin=subject.origin())
        expected = {k: said(r) for k, r in {**others, trial.metric.key: alone}.items()}
        for words, last in (("with the group standard", False), ("in reversed order", True)):
            found = trial.all_on(subject, company=company, last=last)
            for key, wanted in expected.items():
                if said(found[key]) != wanted:
                    what = "" if key == trial.metric.key else f"the score of {key}: "
                    return Finding(
                        contract, False, done, f"on {subject.name}, {what}alone {wanted}, {words} {said(found[key])}",
                        "the same bits, of this metric and of all others", *_of_company(trial),
                    )  # fmt: skip
    return Finding(contract, True, done, f"the same on {len(among)} networks, and so for the {len(company)} others")


def _of_company(trial: Trial) -> tuple[str, str]:
    written = trial.lines(writes_in_place)
    if written and trial.metric.ours:  # others write into copies
        return f"it writes into tensors that other metrics share{listed(written)}", WORK_ON_COPIES
    drawn = trial.lines(calls(*DRAWS))
    if drawn:
        return f"it draws random numbers{listed(drawn)}", DRAW_IT_SO
    return "it keeps something from one call to the next, or changes something that is global", KEEP_NOTHING


def unchanged(trial: Trial, among: Sequence[Subject]) -> Finding:
    """Compare network, mini-batch and quantities before and after."""
    contract = "network, mini-batch and shared values unchanged"
    done = "compared weights, buffers, gradients, training flags, hooks, images and labels before and after"
    for subject in among:
        network, batch = subject.network(), trial.batch()
        next(network.children()).eval()  # a training flag that is not the same everywhere
        before = print_of(network, batch)
        trial.on(subject, batch, network=network)
        changes = differences(before, print_of(network, batch)) or function_leaves(trial, subject)
        if changes:
            return Finding(
                contract, False, done, f"on {subject.name} it changed {changes[0]}", "everything as it was",
                f"it writes into what it was given{listed(trial.lines(writes_in_place))}", WORK_ON_COPIES,
            )  # fmt: skip
    copied = " (the function runs on a copy, which it may change)" if trial.plain is not None else ""
    return Finding(contract, True, done, f"nothing changed on {len(among)} networks{copied}")


def repeats(trial: Trial, among: Sequence[Subject]) -> Finding:
    """Score a network, another network, and the first one again, from the same random state."""
    contract = "the same bits when repeated"
    done = "scored a network, another one on another mini-batch, and the first one again"
    for number, subject in enumerate(among):
        other = among[number - 1]
        torch.manual_seed(0)
        first = trial.on(subject)
        trial.on(other, next(iter(trial.edges().values())))
        torch.manual_seed(0)
        second = trial.on(subject)
        if first.outcome is Outcome.FAILED:
            return Finding(contract, None, done, f"it fails on {subject.name}")
        if said(first) != said(second):
            return Finding(
                contract, False, done, f"on {subject.name}: {said(first)}, then {said(second)}", "the same bits",
                "it keeps something from one call to the next, or draws numbers that nobody seeds"
                f"{listed(trial.lines(calls(*DRAWS)))}", KEEP_NOTHING,
            )  # fmt: skip
    return Finding(contract, True, done, f"bit-equal on {len(among)} networks")


def independent(trial: Trial, repeated: Finding) -> Finding:
    """Score one network under two states of the global random generators."""
    contract = "independent of the global random state"
    done = "scored a plain chain after seeding Python, NumPy and PyTorch with 0 and with 1"
    if repeated.holds is not True:
        why = "it does not even repeat with the same state" if repeated.holds is False else repeated.came_out
        return Finding(contract, None, done, why)
    results = []
    for seed in (0, 1):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        before = _generators()
        results.append(said(trial.on(CHAIN)))
        moved = [name for name, state in _generators().items() if state != before[name]]
    drawn = listed(trial.lines(calls(*DRAWS)))
    if results[0] != results[1]:
        return Finding(
            contract, False, done, f"{results[0]} and {results[1]}", "the same bits",
            f"it draws from a global generator{drawn}, so a score depends on everything that ran before", DRAW_IT_SO,
        )  # fmt: skip
    if moved:
        return Finding(
            contract, False, done, f"{moved[0]} global generator is not where it was", "nothing is drawn from it",
            f"it draws from a global generator, or seeds it{drawn}", DRAW_IT_SO,
        )  # fmt: skip
    return Finding(contract, True, done, f"{results[0]} both times, and the generators are where they were")


def _generators() -> dict[str, object]:
    """Return the states of the global random generators."""
    of_numpy: Any = np.random.get_state(legacy=False)
    return {
        "Python's": random.getstate(),
        "NumPy's": (of_numpy["state"]["pos"], of_numpy["state"]["key"].tolist()),
        "PyTorch's": torch.random.get_rng_state().tolist(),
    }
