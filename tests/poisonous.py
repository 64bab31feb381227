"""A metric that ends the worker process on one architecture, and notes the time of its calls on all."""

from dataclasses import replace
from pathlib import Path

from zcbench.harness.job import Job
from zcbench.harness.metric import Metric
from zcbench.harness.metric_file import metrics_in
from zcbench.harness.runner import run
from zcbench.harness.store import Store

SOURCE = '''
import os, signal, time
import torch
from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import Parameters

@metric("deadly", version=1, cite="-", caveats="-", higher_is_better=True, params=Parameters())
def deadly(params):
    size = sum(float(p.detach().double().abs().sum()) for p in params.values())
    with open({log!r}, "a") as log:
        log.write(f"{{os.getpid()}} {{size}}\\n")
    time.sleep({seconds})
    if abs(size - {poison}) < 1e-6:
        {end}
    return torch.tensor(size)
'''


def deadly(
    folder: Path, job: Job, *, poisonous: int | None = None, seconds: float = 0.0, end: str = "os._exit(9)"
) -> Metric:
    """Return the metric, in a file.

    Args:
        folder: where the file is to be, and a log of its calls.
        job: with the architectures.
        poisonous: position of the architecture that a worker does not survive.
        seconds: what a call takes.
        end: how the worker ends.
    """
    file, log, size = folder / "deadly_metric.py", folder / "calls", -1.0

    def written() -> Metric:
        file.write_text(SOURCE.format(log=str(log), poison=size, seconds=seconds, end=end))
        (found,) = metrics_in(file)
        return found

    harmless = written()
    if poisonous is None:
        return harmless
    alone = replace(job, architectures=[job.architectures[poisonous]], metrics=[harmless])
    with Store(folder / "harmless.sqlite") as store:
        run(alone, store)
    size = float(log.read_text().split()[1])
    log.unlink()
    return written()


def calls(folder: Path) -> list[int]:
    """Return the process of every call of the metric, in their order."""
    log = folder / "calls"
    return [int(line.split()[0]) for line in log.read_text().splitlines()] if log.exists() else []
