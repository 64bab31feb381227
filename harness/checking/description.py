"""What can be judged of a metric without a network: its description, its needs, and whether it can travel."""

from __future__ import annotations

import ast
import inspect
import multiprocessing
import pickle
import warnings
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import torch

from zcbench.harness.candidate import Result
from zcbench.harness.checking.result import Finding
from zcbench.harness.checking.subjects import CHAIN
from zcbench.harness.checking.trial import Trial, said
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.metric import Metric
from zcbench.harness.passes.spec import Quantity, VectorOutput

SHORTEST = 10
"""Characters that a citation and caveats have at least."""


def look_at_needs(metric: Metric) -> None:
    """Refuse a metric whose needs cannot be made from its parameters: nothing of it can be tried.

    Raises:
        ZcbenchError: with the argument that is at fault.
    """
    try:
        metric.needs.quantities()
    except Exception as error:  # a need may be a function that a user wrote
        text = " ".join(str(error).split())
        raise ZcbenchError(
            f"the needs of {metric.key} cannot be made from its parameters: {type(error).__name__}: {text}"
        ) from error


def described(trial: Trial) -> Finding:
    """Look whether a reader of a report learns where the metric comes from, and what to know of it."""
    contract = "description complete"
    done = "read cite, caveats, version, direction and docstring"
    metric, document = trial.metric, inspect.getdoc(inspect.unwrap(trial.function)) or ""
    missing = [f"{name} is {value!r}" for name, value in (("cite", metric.cite), ("caveats", metric.caveats))
               if not isinstance(value, str) or len(value.strip()) < SHORTEST]  # fmt: skip
    if isinstance(metric.version, bool) or not isinstance(metric.version, int) or metric.version < 1:
        missing.append(f"version is {metric.version!r}, no whole number of 1 or more")
    if not isinstance(metric.higher_is_better, bool):
        missing.append(f"higher_is_better is {metric.higher_is_better!r}, neither True nor False")
    if trial.plain is None:
        missing += [f'the docstring has no "{part}"' for part in ("Args:", "Returns:") if part not in document]
    if missing:
        return Finding(
            contract, False, done, "; ".join(missing), "what a reader of a report must know before trusting the number",
            "it was left for later",
            "say the formula, the arguments and what is returned in the docstring, and the source in cite",
        )  # fmt: skip
    better = "higher" if metric.higher_is_better else "lower"
    undocumented = "" if document.strip() else "; for others to use it, say the formula in a docstring"
    said = f"version {metric.version}, {better} is better, {metric.cite}{undocumented}"
    return Finding(contract, True, done, said)


def needs_used(trial: Trial) -> Finding:
    """Look for arguments and parameters that the function never reads: every need costs a pass."""
    contract = "what it declares is used"
    done = "looked for the names of its arguments and parameters in the function"
    read = _read_names(trial)
    if read is None:
        return Finding(contract, None, done, "the code of the function cannot be read")
    if trial.plain is not None:
        return _plain_uses(contract, done, trial, read)
    unused = [
        f"{name} ({_kinds(trial.metric, name)})" for name, need in trial.metric.needs.items
        if name not in read and not isinstance(need, VectorOutput)  # that one says only where a metric has no value
    ]  # fmt: skip
    for name in trial.metric.parameters:
        of_needs = any(not isinstance(n, Quantity | tuple) and name in inspect.signature(n).parameters
                       for n in trial.metric.declared.values())  # fmt: skip
        if name not in read and not of_needs:
            unused.append(f"the parameter {name}")
    if unused:
        return Finding(
            contract, False, done, " and ".join(unused) + (" is" if len(unused) == 1 else " are") + " never read",
            "every need and parameter has a part in the score", "a leftover of an earlier form, or a slip in a name",
            "take it out of @metric(...) and of the function's arguments, or use it",
        )  # fmt: skip
    return Finding(contract, True, done, ", ".join(name for name, _ in trial.metric.needs.items) + ": all of them")


def _plain_uses(contract: str, done: str, trial: Trial, read: set[str]) -> Finding:
    names = list(inspect.signature(trial.function).parameters)
    if names[0] not in read:
        return Finding(
            contract, False, done, f"{names[0]} is never read", "a score of the network", "a slip in a name",
            f"use {names[0]}, else every network has the same score",
        )  # fmt: skip
    left = [name for name in names if name not in read]
    return Finding(contract, True, done, f"{' and '.join(left)} not, which costs nothing" if left else "all of them")


def _read_names(trial: Trial) -> set[str] | None:
    tree = trial.tree()
    if tree is None:
        return None
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _kinds(metric: Metric, name: str) -> str:
    need = dict(metric.needs.items)[name]
    return " and ".join(dict.fromkeys(type(q).__name__ for q in (need if isinstance(need, tuple) else (need,))))


def travels(trial: Trial) -> Finding:
    """Send the metric to a process of its own, as ``--workers 2`` does, and compare the score."""
    contract = "can be sent to a worker process"
    done = "pickled it and scored a plain chain of other weights in a new process"
    try:
        sent = pickle.dumps(trial.metric)
        pickle.loads(sent)
    except Exception as error:  # pickling runs code of the metric's module
        return Finding(
            contract, False, done, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
            "a metric that another process finds by its file or module, and its name",
            "the metric is made inside of a function, or its variable is not called like the function",
            "define it at the top of the file, and give nothing else its name",
        )  # fmt: skip
    torch.manual_seed(0)
    here = trial.on(CHAIN, seed=1)
    try:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            there = pool.submit(_elsewhere, sent, trial.images).result()
    except BrokenProcessPool:
        return Finding(
            contract, False, done, "the process ended without a score", "a score",
            "the file ends the process, or starts one of its own when it is imported",
            "put what runs beside the metric under if __name__ == \"__main__\":",
        )  # fmt: skip
    except Exception as error:  # the file is imported anew there
        return Finding(
            contract, False, done, f"there, {type(error).__name__}: {' '.join(str(error).split())[:200]}", "a score",
            "the file can be imported here only: it reads a variable, a folder or a file that is not there",
            "let the file depend on nothing but what it imports",
        )  # fmt: skip
    if said(here) != said(there):
        return Finding(
            contract, False, done, f"{said(here)} here and {said(there)} there", "the same bits",
            "it keeps something in this process, or depends on where it runs", "compute everything from the arguments",
        )  # fmt: skip
    return Finding(contract, True, done, f"{said(here)} in both")


def _elsewhere(sent: bytes, images: int) -> Result:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they were told here already
        return Trial(pickle.loads(sent), images).on(CHAIN, seed=1)
