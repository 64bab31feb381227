"""One try of a metric on one network, with what a person needs to find a fault in the metric's own file."""

from __future__ import annotations

import ast
import inspect
import textwrap
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from zcbench.harness.candidate import Result, measure
from zcbench.harness.checking.subjects import Subject, edge_batches, mini_batch
from zcbench.harness.metric import Metric
from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.on_copy import OnCopy
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.run import MiniBatch
from zcbench.harness.passes.spec import further_batches
from zcbench.harness.settings import kept


@dataclass(frozen=True)
class Trial:
    """What a metric is tried with.

    Attributes:
        metric: the metric.
        images: images in an ordinary mini-batch.
    """

    metric: Metric
    images: int

    @property
    def further(self) -> int:
        """Number of further mini-batches that the metric looks at."""
        return further_batches(self.metric.needs.quantities())

    def batch(self, dtype: torch.dtype = torch.float32) -> MiniBatch:
        """Return an ordinary mini-batch, of balanced classes."""
        return mini_batch(self.images, further=self.further, dtype=dtype)

    def edges(self) -> dict[str, MiniBatch]:
        """Return mini-batches that are not ordinary."""
        return edge_batches(self.images, self.further)

    def on(
        self, subject: Subject, batch: MiniBatch | None = None, *, network: torch.nn.Module | None = None,
        company: Sequence[Metric] = (), last: bool = False, seed: int = 0,
    ) -> Result:
        """Score one network, built anew unless one is given.

        Args:
            subject: the network.
            batch: the mini-batch; None for an ordinary one.
            network: the network itself.
            company: metrics that are scored in the same passes.
            last: whether the metric comes after its company, which is reversed then.
            seed: of the initialisation.
        """
        return self.all_on(subject, batch, network=network, company=company, last=last, seed=seed)[self.metric.key]

    def all_on(
        self, subject: Subject, batch: MiniBatch | None = None, *, network: torch.nn.Module | None = None,
        company: Sequence[Metric] = (), last: bool = False, seed: int = 0,
    ) -> dict[str, Result]:
        """Score one network and return the results of the company, too; see `on`."""
        order = [self.metric, *company]
        scored = subject.network(seed=seed) if network is None else network
        with kept():
            return measure(
                scored, batch or self.batch(), order[::-1] if last else order, key=subject.key(seed=seed),
                origin=subject.origin(seed=seed),
            )  # fmt: skip

    @property
    def function(self) -> Callable[..., Any]:
        """The function that a person wrote."""
        plain = self.plain
        return self.metric.function if plain is None else plain.function

    @property
    def plain(self) -> OnCopy | None:
        """The quantity that runs a plain function; None for a metric of other quantities."""
        return next((q for q in self.metric.needs.quantities() if isinstance(q, OnCopy)), None)

    @property
    def file(self) -> Path | None:
        """The file that the function is in."""
        try:
            found = inspect.getsourcefile(inspect.unwrap(self.function))
        except TypeError:  # an object that was not written as a function
            return None
        return None if found is None else Path(found)

    def fault(self, subject: Subject, batch: MiniBatch | None = None) -> BaseException | Any:
        """Try once more and return what was raised, or else what the function itself returned, whatever it is."""
        used = batch or self.batch()
        needed = plan(self.metric.needs.quantities())
        try:
            with kept():
                found = evaluate(subject.network(), used, needed, key=subject.key(), origin=subject.origin())
                return self.metric(found.values)
        except Exception as error:  # whatever it is, it is what a person is told
            return error

    def where(self, error: BaseException) -> str:
        """Return ``, line 12: the code there`` for the last line of the metric's file that an exception passed."""
        frames = [f for f in traceback.extract_tb(error.__traceback__) if self.file and Path(f.filename) == self.file]
        return f", line {frames[-1].lineno}: {frames[-1].line}" if frames else ""

    def _source(self) -> tuple[list[str], int]:
        """Return the lines of the function and the number of the first; none where they cannot be read."""
        try:
            return inspect.getsourcelines(inspect.unwrap(self.function))
        except (OSError, TypeError):
            return [], 0

    def tree(self) -> ast.Module | None:
        """Return the function's code as a tree, or None where it cannot be read."""
        try:
            tree = ast.parse(textwrap.dedent("".join(self._source()[0])))
        except SyntaxError:
            return None
        return tree if tree.body else None

    def lines(self, wanted: Callable[[ast.AST], bool]) -> list[str]:
        """Return the lines of the function with a node of some kind, as ``line 12: the code there``."""
        source, first = self._source()
        tree = self.tree()
        nodes = [] if tree is None else [n for n in ast.walk(tree) if isinstance(n, ast.expr | ast.stmt) and wanted(n)]
        return [f"line {first + n - 1}: {source[n - 1].strip()}" for n in sorted({node.lineno for node in nodes})]


def calls(*names: str) -> Callable[[ast.AST], bool]:
    """Return a test for a call of a function or method of one of these names."""
    return lambda node: isinstance(node, ast.Call) and _called(node) in names


def writes_in_place(node: ast.AST) -> bool:
    """Whether a node changes a tensor: ``x.mul_(2)``, ``x += 1``, ``x[0] = 1``, ``x.data``, ``load_state_dict``."""
    if isinstance(node, ast.AugAssign):
        return True
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Subscript) for target in node.targets)
    if not isinstance(node, ast.Call):
        return False
    name = _called(node)
    return (name.endswith("_") and not name.endswith("__")) or name in ("backward", "load_state_dict", "apply")


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def listed(lines: Sequence[str], most: int = 2) -> str:
    """Return a few lines of a file as a part of a sentence, in brackets; empty where there are none."""
    shown = "; ".join(lines[:most]) + (f"; and {len(lines) - most} more" if len(lines) > most else "")
    return f" ({shown})" if lines else ""


def said(result: Result) -> str:
    """Return an outcome in words: the number with all its digits, or why there is none."""
    return repr(result.value) if result.value is not None else f"{result.outcome}: {result.reason}"


def tried(metric: Metric, among: Sequence[Subject]) -> tuple[Trial, dict[Subject, Result]]:
    """Return a trial with a mini-batch that is large enough for a value somewhere, and what it gave on every network.

    16 images, and 64 where 16 leave the metric without a value on all networks.
    """
    for images in (16, 64):
        trial = Trial(metric, images)
        found = {subject: trial.on(subject) for subject in among}
        if any(result.value is not None for result in found.values()):
            return trial, found
    return Trial(metric, 16), {subject: Trial(metric, 16).on(subject) for subject in among}
