"""Clocks that do not make a GPU wait: marks are taken now and read when everything is done."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

import torch

from zcbench.harness.device import is_gpu, module_of


class Clock:
    """Adds up the seconds of named steps.

    On a CPU a mark is the time of day; on a GPU it is an event in the stream of this very device, and only
    ``seconds()``, which is called once after the results have crossed over, waits for it.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._module = module_of(device) if is_gpu(device) else None
        self._spans: dict[Hashable, list[tuple[object, object]]] = defaultdict(list)
        self._inside: dict[Hashable, list[tuple[object, object]]] = defaultdict(list)
        self._open: list[Hashable] = []

    def _mark(self) -> object:
        if self._module is None:
            return time.perf_counter()
        event = self._module.Event(enable_timing=True)
        event.record(self._module.current_stream(self._device))
        return event

    @contextmanager
    def measure(self, step: Hashable) -> Iterator[None]:
        """Add the time spent inside to ``step``, and take it from the step that is measured around it."""
        start = self._mark()
        self._open.append(step)
        try:
            yield
        finally:
            self._open.pop()
            span = (start, self._mark())
            self._spans[step].append(span)
            if self._open:
                self._inside[self._open[-1]].append(span)

    def _length(self, span: tuple[object, object]) -> float:
        start, end = span
        if self._module is not None:
            return float(start.elapsed_time(end)) / 1000  # type: ignore[attr-defined]
        return float(end) - float(start)  # type: ignore[arg-type]

    def seconds(self) -> dict[Hashable, float]:
        """Return the seconds of every step, without the steps measured inside it."""
        if self._module is not None:
            self._module.synchronize(self._device)
        return {
            step: sum(map(self._length, spans)) - sum(map(self._length, self._inside[step]))
            for step, spans in self._spans.items()
        }
