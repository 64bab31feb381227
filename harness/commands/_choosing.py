"""From options to the architectures that are scored; shared by ``score`` and ``run``."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from zcbench.harness.commands._targets import TruthOptions, targets_of
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.space import Benchmark, SearchSpace
from zcbench.harness.types import Architecture


@dataclass(frozen=True)
class Choice:
    """Which architectures: the options of ``candidates``."""

    architectures: Path | None
    sample: int | None
    sample_seed: int
    everything: bool
    pool: str
    unique: bool
    limit: int | None


def choose(found: Benchmark, choice: Choice, truth: TruthOptions) -> list[Architecture]:
    """Return the candidates, each once, in the order given.

    Raises:
        MissingFileError: if the file of architectures, or the ground truth to choose from, is not there.
        ZcbenchError: if nothing or too much is chosen, or a line cannot be parsed.
    """
    space = found.space
    if sum((choice.architectures is not None, choice.sample is not None, choice.everything)) != 1:
        raise ZcbenchError("say which architectures: one of --sample N, --architectures FILE and --all")
    if choice.architectures is not None:
        if truth.several:
            raise ZcbenchError("--architectures FILE is for one benchmark: score the others in calls of their own")
        chosen = _read(space, choice.architectures)
    elif choice.pool == "truth" or (choice.pool == "auto" and not space.listed):
        chosen = _with_truth(found, choice, truth)
    else:
        chosen = list(space) if choice.sample is None else space.sample(choice.sample, choice.sample_seed)
    chosen = list({a.id: a for a in chosen}.values())
    if choice.unique:
        # reversed: of each class the one that comes first is kept
        first = {space.unique_id(a): a for a in reversed(chosen)}
        chosen = list(reversed(first.values()))
    return chosen[: choice.limit]


def _with_truth(found: Benchmark, choice: Choice, options: TruthOptions) -> list[Architecture]:
    """Choose from the architectures that every target has a value for."""
    space = found.space
    try:
        targets = targets_of(found, options)
    except ZcbenchError as error:
        if choice.pool == "truth" or "--pool space" in str(error):
            raise
        raise type(error)(
            f"{space.name} is too large to list, so architectures are chosen from those with a ground truth, but "
            f"{error}; or draw from the whole search space (--pool space)"
        ) from error
    known = _in_all(target.mean.dropna().index for target in targets)
    if choice.sample is None:
        return [space.parse(text) for text in known]
    if choice.sample > len(known):
        raise ZcbenchError(
            f"cannot sample {choice.sample} architectures: {len(known)} have a ground truth in "
            f"{targets[0].describe()}"
        )
    # As a space samples: a larger sample begins with the smaller one of the same seed.
    generator = random.Random(str(choice.sample_seed))
    keys = [generator.random() for _ in known]
    return [space.parse(known[n]) for n in sorted(range(len(known)), key=keys.__getitem__)[: choice.sample]]


def _in_all(names: Iterable[Iterable[str]]) -> list[str]:
    first, *rest = (list(map(str, some)) for some in names)
    kept = set(first).intersection(*rest)
    return sorted(name for name in first if name in kept)


def _read(space: SearchSpace, path: Path) -> list[Architecture]:
    if not (path.is_file() or path.is_fifo()):  # a pipe: --architectures <(grep ... cells.txt)
        raise MissingFileError(f"there is no file of architectures at {path}")
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ZcbenchError(f"{path} is no text file: write one architecture a line") from error
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found.append(space.parse(line.strip()))
            except ZcbenchError as error:
                raise ZcbenchError(f"{path}, line {number}: {error}") from error
    if not found:
        raise ZcbenchError(f"{path} names no architecture: write one a line")
    return found
