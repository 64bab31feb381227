"""From what somebody asked for to the one choice of rows that is meant, or the error that says what there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from zcbench.datasets.measures import beside
from zcbench.datasets.rows import Choice
from zcbench.datasets.target import Remarks, in_epochs
from zcbench.datasets.tidy import HARDWARE
from zcbench.harness.errors import ZcbenchError, did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a table; see `zcbench.datasets.truth.TruthTable.select`."""

    dataset: str
    source: str | None = None
    split: str | None = None
    epochs: int | None = None
    seed: int | None = None
    metric: str | None = None
    default_split: str = "test"
    default_sources: Sequence[str] = ()


def choose(
    asked: Question,
    choices: Sequence[Choice],
    *,
    seeds: Callable[[Choice], frozenset[int]],
    name: str,
    remarks: Remarks,
) -> Choice:
    """Return the choice that a question means.

    Args:
        asked: the question.
        choices: everything there is.
        seeds: the training seeds of a choice; called only where the question names one.
        name: what to call the table in an error.
        remarks: what to do for what the table lacks.

    Raises:
        ZcbenchError: if there is no such choice, with those that there are.
    """
    of_dataset = _of_dataset(asked, choices, name, remarks)
    metric = _metric(asked, of_dataset, choices, remarks)
    rows = [choice for choice in of_dataset if choice.metric == metric]
    split = asked.split or (HARDWARE if {c.split for c in rows} == {HARDWARE} else asked.default_split)
    wanted = [c for c in rows if c.split == split and asked.epochs in (None, c.epochs)]
    if not wanted:
        what = f"{split} {metric}" + ("" if asked.epochs is None else f" after {in_epochs(asked.epochs)}")
        of = asked.dataset + ("" if asked.source is None else f" from {asked.source}")
        raise ZcbenchError(f"there is no {what} of {of}; there is {_listing(rows)}")
    if asked.seed is not None:
        wanted = _of_seed(wanted, asked.seed, seeds, f"{split} {metric} of {asked.dataset}")
    epochs = [choice.epochs for choice in wanted]
    longest = -1 if min(epochs) < 0 else max(epochs)
    wanted = [choice for choice in wanted if choice.epochs == longest]
    sources = _present(wanted, "source")
    source = next((s for s in asked.default_sources if s in sources), sources[0])
    wanted = [choice for choice in wanted if choice.source == source]
    if len(wanted) > 1:
        kinds = " and ".join(_present(wanted, "kind"))
        raise ZcbenchError(f"{name}: {asked.dataset} mixes the kinds {kinds} in one source")
    return wanted[0]


def usual_metric(choices: Iterable[Choice]) -> str:
    """Return the metric that is meant where only a dataset is named; empty where there is none.

    That is ``accuracy``, or else the only metric there is besides costs and values of unfinished trainings.

    Args:
        choices: everything there is of that dataset.
    """
    own = {choice.metric for choice in choices if choice.split != HARDWARE and not beside(choice.metric)}
    if "accuracy" in own:
        return "accuracy"
    return own.pop() if len(own) == 1 else ""


def absent(what: str, name: str, known: Iterable[str]) -> ZcbenchError:
    """Return the error for a name that a table does not have, with the nearest or all that it has."""
    hint = did_you_mean(name, known)
    listing = "" if hint.startswith(" Known") else f" There is: {', '.join(sorted(known))}."
    return ZcbenchError(f'{what} "{name}".{hint}{listing}')


def _of_dataset(asked: Question, choices: Sequence[Choice], name: str, remarks: Remarks) -> list[Choice]:
    found = [choice for choice in choices if choice.dataset == asked.dataset]
    if not found:
        if asked.dataset in remarks.elsewhere:
            raise ZcbenchError(f'{name} has no dataset "{asked.dataset}": {remarks.elsewhere[asked.dataset]}')
        raise absent(f"{name} has no dataset", asked.dataset, _present(choices, "dataset"))
    if asked.source is None:
        return found
    of_source = [choice for choice in found if choice.source == asked.source]
    if not of_source:
        raise absent(f"{asked.dataset} has no source", asked.source, _present(found, "source"))
    return of_source


def _metric(asked: Question, found: Sequence[Choice], choices: Sequence[Choice], remarks: Remarks) -> str:
    """Return the metric that is asked for, or meant."""
    present = _present(found, "metric")
    if asked.metric is None:
        usual = usual_metric(c for c in choices if c.dataset == asked.dataset)
        if usual not in present:
            usual = usual_metric(found)
        if not usual:
            names = ", ".join(f"{asked.dataset}/{metric}" for metric in present)
            raise ZcbenchError(f"{asked.dataset} does not say which value is meant: name one, there is {names}")
        return usual
    if asked.metric not in present:
        if asked.metric in remarks.metrics:
            advice = remarks.metrics[asked.metric]
            raise ZcbenchError(f'{asked.dataset} has no value "{asked.metric}": {advice}')
        raise absent(f"{asked.dataset} has no value", asked.metric, present)
    return asked.metric


def _of_seed(
    choices: Sequence[Choice], seed: int, seeds: Callable[[Choice], frozenset[int]], what: str
) -> list[Choice]:
    found = {choice: seeds(choice) for choice in choices}
    single = sorted({s for present in found.values() for s in present if s >= 0})
    if seed not in single:
        there = f"there is: {', '.join(map(str, single))}" if single else "there are no values of single seeds"
        raise ZcbenchError(f"there is no {what} with training seed {seed}; {there}")
    return [choice for choice, present in found.items() if seed in present]


def _present(choices: Iterable[Choice], field: str) -> list[str]:
    return sorted({str(getattr(choice, field)) for choice in choices})


def _listing(choices: Iterable[Choice]) -> str:
    kinds = sorted({(choice.split, choice.epochs) for choice in choices})
    return ", ".join(f"{split} after {in_epochs(epochs)}" for split, epochs in kinds)
