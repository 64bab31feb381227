"""A metric that notes its calls, may let them wait, and may end the worker process on one architecture."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from zcbench.harness.job import Job
from zcbench.harness.metric import Metric
from zcbench.harness.metric_file import metrics_in
from zcbench.harness.runner import run
from zcbench.harness.store import Store

SOURCE = '''
import os, pathlib, signal, time
import torch
from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import Parameters

@metric("deadly", version=1, cite="-", caveats="-", higher_is_better=True, params=Parameters())
def deadly(params):
    size = sum(float(p.detach().double().abs().sum()) for p in params.values())
    with open({log!r}, "a") as log:
        log.write(f"{{os.getpid()}} {{size}}\\n")
    while (begun := pathlib.Path({log!r}).read_text().split()[::2]) and ({wait}):
        time.sleep(0.02)
    time.sleep({seconds})
    if abs(size - {poison}) < 1e-6:
        {end}
    return torch.tensor(size)
'''


def deadly(
    folder: Path, job: Job, *, poisonous: int | None = None, seconds: float = 0.0, end: str = "os._exit(9)",
    wait: str = "False",
) -> Metric:  # fmt: skip
    """Return the metric, in a file.

    A test that acts on a run under way lets its calls wait for that, by ``wait``: whoever counts on some seconds of
    sleep to be still there in time is too late on a busy machine.

    Args:
        folder: where the file is to be, and a log of its calls.
        job: with the architectures.
        poisonous: position of the architecture that a worker does not survive.
        seconds: what a call takes.
        end: how the worker ends.
        wait: Python that says for how long a call waits; ``begun`` has the processes of all calls so far.
    """
    file, log = folder / "deadly_metric.py", folder / "calls"

    def written(**how: object) -> Metric:
        file.write_text(SOURCE.format(log=str(log), end=end, **how))
        (found,) = metrics_in(file)
        return found

    if poisonous is None:
        return written(poison=-1.0, seconds=seconds, wait=wait)
    harmless = written(poison=-1.0, seconds=0.0, wait="False")
    alone = replace(job, architectures=[job.architectures[poisonous]], metrics=[harmless])
    with Store(folder / "harmless.sqlite") as store:
        run(alone, store)
    size = float(log.read_text().split()[1])
    log.unlink()
    return written(poison=size, seconds=seconds, wait=wait)


def once(folder: Path) -> str:
    """The end of the first worker that meets the architecture, by the kernel, within the call; others survive it."""
    dead = str(folder / "dead")
    return f"if not os.path.exists({dead!r}): open({dead!r}, 'x').close(); os.kill(os.getpid(), signal.SIGKILL)"


def pause(folder: Path) -> str:
    """The standstill of the first worker that meets the architecture, within the call."""
    return once(folder).replace("SIGKILL", "SIGSTOP")


def standing_still(folder: Path) -> list[int]:
    """Return the processes of calls that were stopped."""
    stats = [Path(f"/proc/{pid}/stat") for pid in set(calls(folder))]
    return [int(stat.parent.name) for stat in stats if stat.exists() and ") T " in stat.read_text()]


@contextmanager
def after_all_others(
    folder: Path, store: Path, others: int, number: int, until: Callable[[], object] = lambda: True
) -> Iterator[None]:
    """Send a signal to the worker that stands still, as soon as the others have written all that they can.

    Args:
        folder: of the metric.
        store: what the run writes.
        others: rows.
        number: the signal.
        until: what is waited for besides.
    """

    def watch() -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not over.is_set():
            if (there := standing_still(folder)) and _written(store) >= others and until():
                os.kill(there[0], number)
                return
            time.sleep(0.05)

    over = threading.Event()
    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def _written(store: Path) -> int:
    with Store(store, create=False) as there:
        return len(list(there.scores()))


def calls(folder: Path) -> list[int]:
    """Return the process of every call of the metric, in their order."""
    log = folder / "calls"
    return [int(line.split()[0]) for line in log.read_text().splitlines()] if log.exists() else []
