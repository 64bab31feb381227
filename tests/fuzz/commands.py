"""Every verb with options that are changed: what a typing error, a script or somebody in a bad mood may give."""

import importlib
import random
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import click
from fuzz.formats import of_test
from fuzz.mutations import of_text

from zcbench.datasets.nasbench201 import analog
from zcbench.datasets.registry import benchmark
from zcbench.harness import cli, runner
from zcbench.harness.commands import _scoring
from zcbench.harness.gate import files
from zcbench.harness.gate.baseline import record
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.registry import select
from zcbench.harness.store import Store

SCORE = ("--dataset", "digits", "--sample", "2", "--resolution", "8", "--batch-size", "8", "--metrics",
         "snip,params", "--benchmark", "nasbench201")  # fmt: skip
TRUTH = ("--target", "cifar10", "--source", "analog", "--split", "test", "--resamples", "10")

COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "run": (("run", *SCORE, "--target", "cifar10", "--out", "ran", "--resamples", "10", "--executor", "local"),),
    "list": (("list", "metrics"), ("list", "benchmarks")),
    "plan": (("plan", "--metrics", "snip,swap(repeats=2),standard", "--json"),),
    "score": (("score", *SCORE, "--store", "new.sqlite", "--pool", "auto", "--seeds", "2", "--first-seed", "1"),
              ("score", "--benchmark", "darts", "--network", "channels=16,cells=5", "--pool", "space", "--sample", "1",
               "--dataset", "digits", "--metrics", "params", "--store", "new.sqlite"),
              ("score", "--benchmark", "transnasbench101_micro", "--task", "jigsaw", "--resolution", "32", "--dataset",
               "gaussian", "--sample", "1", "--metrics", "params", "--store", "new.sqlite"),
              ("score", "--dataset", "digits", "--architectures", "cells.txt", "--metrics", "params", "--device", "cpu",
               "--workers", "1", "--threads", "1", "--init", "pytorch", "--labels", "random", "--limit", "1")),
    "analyse": (("analyse", "--store", "s.sqlite", "--benchmark", "nasbench201", *TRUTH, "--out", "analysis"),),
    "report": (("report", "--store", "s.sqlite", "--title", "A title", *TRUTH, "--out", "report"),),
    "transfer": (("transfer", "--store", "s.sqlite", "--target", "cifar10", "--resamples", "10", "--out", "transfer"),),
    "operations": (("operations", "--dataset", "digits", "--resolution", "8", "--batch-size", "8", "--scorers",
                    "zeros_snip", "--out", "operations"),),
    "export": (("export", "--store", "s.sqlite", "--out", "scores.csv"), ("export", "--store", "s.sqlite", "--out",
               "scores.parquet")),
    "new": (("new", "metric", "my_metric", "--out", "made"), ("new", "workflow", "--out", "made.yml")),
    "check": (("check", "snip", "--json"), ("check", "a_metric.py")),
    "compare": (("compare", "a_metric.py", *SCORE[:-4], "--against", "params", "--resamples", "10", "--stability", "0",
                 "--out", "compared"), ("compare", "snip", "--store", "s.sqlite", "--stored", "--against", "params")),
    "gate": (("gate", "--baseline", "reference.json", "--fail-on", "spearman < -0.02", "--confidence", "0.9",
              "--tolerance", "1e-3", "--max-cost-ratio", "2", "--recorded-truth", "--json", "g.json", "--junit",
              "g.xml",
              "--markdown", "g.md"), ("gate", "--record", "--baseline", "r.json", *SCORE)),
    "results": (("results", "--store", "s.sqlite", "--benchmark", "nasbench201", "--metrics", "snip", "--by", "me",
                 *TRUTH, "--out", "results"),),
    "leaderboard": (("leaderboard", "shared", "--out", "board.html", "--title", "A title", "--strict"),),
    "data status": (("data", "status", "nasbench101", "--json", "--folder", "data"),),
    "data convert": (("data", "convert", "nasbench201", "table.parquet", "--out", "out.parquet", "--curves"),),
    "data fetch": (("data", "fetch", "nasbench101", "nasbench_only108.tfrecord", "--to", "fetched", "--from", "origin",
                    "--timeout", "1", "--retries", "0"),),
    "data verify": (("data", "verify", "nasbench201", "--folder", "data"),),
}  # fmt: skip
"""By name: calls that are right, each of which is changed. `main` itself is changed where the verb is."""

VALUES = (
    "", " ", "0", "-1", "1", "2", "9" * 30, "99999999999", "2147483648", "1e9", "-1e-400", "nan", "inf", "-inf", "0x10",
    "1_000", "٣", "½", "true", "None", "null", "--", "-", "---", "--help", "-h", "=", "a=b", ",", ",,,", "snip,snip",
    "()",
    "swap(repeats=2)", "swap(repeats=2,repeats=3)", "swap(repeats=1e30)", "swap(repeats=-1)", "swap(repeats=nan)",
    "swap(repeats=)", "swap(=2)", "swap(repeats=2", "swap)", "swap((repeats=2))", "swap(x=1)", "snip(x=1)", "all(x=1)",
    "nwot,", "no_such", "x.py", "a_metric.py:nothing", "a_metric.py:doubled", "a_metric.py:", ":", "é", "\u202e",
    "\x1b[2J",
    "\x00", "a\x00b", "\udcff", "a\nb", "x" * 3_000, "*", "..", "../..", "/", ".", "a_folder", "a_folder/x",
    "no/such/file",
    "a_file.txt", "a_file.txt/x", "/dev/null", "/proc/self/mem", "~", "$HOME", "%s%n", "file:///etc/passwd", "http://",
    "ftp://x", "http://[", "s.sqlite", "reference.json", "table.parquet", "empty", "cifar10", "cifar100", "cifar10/",
    "cifar10/x", "cifar10/accuracy", "nasbench201=analog", "nasbench201=", "=analog", "digits", "gaussian",
    "nasbench101",
    "nasbench301", "darts", "random", "pytorch", "kaiming_normal", "space", "truth", "worst", "no_dead_edge", "cuda",
    "cuda:99", "cuda:-1", "meta", "mps", "spearman < 1", "spearman<-0.1", "kendall[top10_truth] < -0.05",
    "spearman < nan",
    "spearman[] < 0", "channels=0", "channels=9999999999", "cells=2,cells=3", "cells=", "affine=maybe", "ray", "here",
)  # fmt: skip
"""What any option may be given."""

METRIC = '''"""Two metrics."""
from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import Parameters


@metric("doubled", version=1, cite="nobody", caveats="none", higher_is_better=True, weights=Parameters())
def doubled(weights):
    return 2 * sum(w.abs().sum() for w in weights.values())
'''


def prepare(name: str, folder: Path) -> Callable[[random.Random], Callable[[], object]]:
    """Make the files that the calls name, and return what makes a changed call."""
    place = folder / "place"
    place.mkdir()
    _files(place)
    calls = COMMANDS[name]
    options = _options_of(name)

    def changed(draw: random.Random) -> Callable[[], object]:
        arguments = changed_call(draw.choice(calls), options, draw)
        verb = [part for part in arguments if part is not None]

        def use() -> object:
            with ExitStack() as stack:
                for patch in _nothing_long():
                    stack.enter_context(patch)
                cli.main(verb)
            return 0

        return use

    return changed


def changed_call(call: Sequence[str], options: Sequence[str], draw: random.Random) -> list[str]:
    """Change one to a few of the arguments of a call: values, missing, twice, others, in another order."""
    found = list(call)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        at = draw.randrange(1, len(found)) if len(found) > 1 else 0
        change = draw.randrange(8)
        if change <= 2:
            found[at] = draw.choice(VALUES)
        elif change == 3:
            found[at] = of_text(found[at], draw)
        elif change == 4:
            del found[at : at + draw.choice((1, 2))]
        elif change == 5:
            found[at:at] = found[at : at + 2]
        elif change == 6 and options:
            found += [draw.choice(options), draw.choice(VALUES)]
        else:
            found.insert(at, draw.choice((*options, *VALUES)))
        if not found:
            break
    return found


def _options_of(name: str) -> list[str]:
    command: Any = cli.zcbench
    for part in name.split():
        command = command.get_command(click.Context(command), part)
    commands = command.commands.values() if isinstance(command, click.Group) else [command]
    every = {option for one in commands for param in one.params for option in param.opts}
    return sorted(option for option in every if option.startswith("-"))


def _nothing_long() -> Iterator[Any]:
    """Leave out what takes long where all options are right: the scores themselves, checks, figures of a report.

    Networks are scored, checked and drawn in other tests. What comes before, from options to jobs, is all there.
    """

    done = SystemExit(0)
    yield mock.patch.object(_scoring, "run_with_progress", side_effect=done)
    for module, function in (("check", "check"), ("operations", "_score")):
        found = importlib.import_module(f"zcbench.harness.commands.{module}")
        yield mock.patch.object(found, function, side_effect=done)
    yield mock.patch("urllib.request.urlopen", side_effect=urllib.error.URLError("no network in this test"))
    kept = _truth()
    yield mock.patch.object(analog, "read", return_value=kept)


def _truth(known: list[Any] = []) -> Any:  # noqa: B006 - read once in a process
    if not known:
        known.append(analog.read(analog.data_file()))
    return known[0]


def _files(place: Path) -> None:
    import os

    os.chdir(place)
    (place / "a_folder").mkdir()
    (place / "data").mkdir()
    (place / "origin").mkdir()
    (place / "empty").write_bytes(b"")
    (place / "a_file.txt").write_text("a text\n")
    (place / "a_metric.py").write_text(METRIC)
    cells = benchmark("nasbench201").space.sample(14, seed=0)
    (place / "cells.txt").write_text("\n".join(cell.id for cell in cells) + "\n")
    from zcbench.datasets import images

    job = Job(
        benchmark="nasbench201", space=benchmark("nasbench201").space, architectures=cells,
        metrics=select("params,layers"), batch=images.load("digits", batch_size=8, resolution=8),
        init=initialisation("pytorch"), seeds=1,
    )  # fmt: skip
    with Store(place / "s.sqlite") as store:
        runner.run(job, store)
    import pyarrow as pa
    import pyarrow.parquet as pq
    import urllib3  # noqa: F401 - which pooch uses, and which tries a socket of the machine when it is imported
    from gated import measured
    from shared_results import result

    from zcbench.harness.results.document import to_text

    pq.write_table(pa.table(of_test("datasets/test_hostile_tables.py").columns()), place / "table.parquet")
    shutil.copyfile(place / "table.parquet", place / "data" / "nasbench201.parquet")
    (place / "shared").mkdir()
    (place / "shared" / "r.json").write_text(to_text(result()))
    files.write(record([measured(20, benchmark="nasbench201")]), place / "reference.json")
