"""``zcbench gate``: fail where a metric lost quality, or a score changed without a new version."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from zcbench.harness.analysis.intervals import FEWEST
from zcbench.harness.commands import _gating, _options, _recording, _scoring, _studying
from zcbench.harness.commands._choosing import Choice
from zcbench.harness.commands._family import Wanted, benchmarks_in, wanted_of
from zcbench.harness.commands._targets import TruthOptions
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.gate import files
from zcbench.harness.gate.as_json import as_json
from zcbench.harness.gate.judge import MAX_COST_RATIO, TOLERANCE, Limits, judge
from zcbench.harness.gate.junit import junit
from zcbench.harness.gate.markdown import markdown
from zcbench.harness.gate.result import GateResult
from zcbench.harness.gate.rules import DEFAULT, parse_all
from zcbench.harness.gate.text import text
from zcbench.harness.registry import select
from zcbench.harness.replace import write_text
from zcbench.reports.text import plural

RECORDING = (
    "benchmarks", "architectures", "sample", "sample_seed", "everything", "pool", "unique", "limit", "datasets",
    "labels", "resolution", "network", "tasks", "seeds", "batch_size", "init", "targets", "sources", "splits", "epochs",
)  # fmt: skip
"""Options that say what a baseline is of; later it says so itself."""

JUDGING = (
    "fail_on", "confidence", "simultaneous", "tolerance", "max_cost_ratio", "recorded_truth", "as_json_file",
    "junit_file", "markdown_file",
)  # fmt: skip
"""Options without meaning while a baseline is recorded."""

CHOOSING = ("architectures", "sample", "everything")


def _print_schema(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        click.echo(json.dumps(files.schema(), indent=2))
        context.exit()


def _limits(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what fails, and where the result goes."""
    for option in reversed((
        click.option("--fail-on", "fail_on", multiple=True, metavar="RULE", help="Loss of correlation that fails, as "
                     '"kendall[top10_truth] < -0.05"; may be given several times. Default: '
                     f'"{DEFAULT}".'),
        click.option("--confidence", type=float, default=0.95, show_default=True, metavar="P",
                     help="Of the one-sided upper limit of now - then, which must lie below the margin to fail."),
        click.option("--simultaneous", is_flag=True, help="Let the confidence be that of all checks together "
                     "(Bonferroni)."),
        click.option("--tolerance", type=float, default=TOLERANCE, show_default=True, metavar="T",
                     help="Relative difference of scores that counts as none on other hardware, another number of "
                     "threads or another PyTorch, where a quarter of them may differ by more; otherwise every score "
                     "must be equal to the last bit."),
        click.option("--max-cost-ratio", type=float, default=MAX_COST_RATIO, show_default=True, metavar="R",
                     help="Largest growth of the median cost of a score."),
        click.option("--recorded-truth", is_flag=True, help="Judge by the ground truth in the baseline, without the "
                     "tables that it came from."),
        click.option("--json", "as_json_file", type=_options.PATH, metavar="FILE", help="Also write it as JSON."),
        click.option("--junit", "junit_file", type=_options.PATH, metavar="FILE", help="Also write it as JUnit XML."),
        click.option("--markdown", "markdown_file", type=_options.PATH, metavar="FILE",
                     help="Also write a summary as Markdown; it is appended to $GITHUB_STEP_SUMMARY in any case."),
    )):  # fmt: skip
        function = option(function)
    return function


@click.command("gate")
@click.option("--baseline", type=_options.PATH, required=True, metavar="FILE", help="The baseline, a .json file; its "
              "scores stand beside it in a .scores.parquet file.")  # fmt: skip
@click.option("--record", "recording", is_flag=True, help="Write the baseline instead.")
@click.option("--schema", is_flag=True, is_eager=True, expose_value=False, callback=_print_schema,
              help="Print the JSON Schema of a baseline.")  # fmt: skip
@_limits
@_options.candidates(required=True)
@_options.scoring(dataset="digits")
@_options.truth(costs=False)
@click.option("--store", "store_path", type=_options.PATH, metavar="FILE", help="Take scores from this store and add "
              "what is missing. Default: everything is scored anew.")  # fmt: skip
@click.pass_context
def command(context: click.Context, /, *, baseline: Path, recording: bool, **given: Any) -> None:
    """Hold metrics against a recorded baseline, and fail where one lost quality.

    The baseline says which architectures are scored and how. It fails for a loss of rank correlation that is
    more than chance and the margin, for a changed score where the version of the metric did not rise, for a new
    undefined or failed score, and for a cost that grew. --metrics restricts it to some metrics; --first-seed takes
    other initialisations, so that single scores are not compared.

    With --record the options say what to score, as in zcbench score; without any of --sample, --architectures and
    --all everything in --store is recorded.

    Exit code: 0 passed, 1 regression, 2 wrong usage, 3 missing data.

    \b
    Example:
        zcbench gate --record --baseline reference.json --sample 100 --metrics snip,nwot
        zcbench gate --baseline reference.json
    """
    named = {name for name in given if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    _refuse(context, named, JUDGING if recording else RECORDING, recording)
    if recording:
        _record(baseline, named, given)
        return
    context.exit(int(_judge(baseline, named, given).exit_code))


def _refuse(context: click.Context, named: set[str], without: tuple[str, ...], recording: bool) -> None:
    """Refuse options that would do nothing.

    Raises:
        ZcbenchError: naming the first of them.
    """
    for parameter in context.command.params:
        if parameter.name in named and parameter.name in without:
            why = "does nothing while a baseline is recorded: leave it out" if recording else \
                "is for --record: the baseline says what is scored and how"  # fmt: skip
            raise ZcbenchError(f"{parameter.opts[0]} {why}")


def _record(baseline: Path, named: set[str], given: dict[str, Any]) -> None:
    files.check_name(baseline)
    computing, store_path = given["computing"], given["store_path"]
    stored_only = not named & set(CHOOSING)
    if stored_only and store_path is None:
        raise ZcbenchError("say what to record: one of --sample N, --architectures FILE and --all, or --store FILE")
    watch = _recording.Stopwatch(computing.machine)
    with _recording.store_at(store_path, create=not stored_only) as store:
        benchmarks = tuple(benchmarks_in(store, given["benchmarks"] if "benchmarks" in named else ())) \
            if stored_only else given["benchmarks"]  # fmt: skip
        truth = TruthOptions.of(
            benchmarks, given["targets"], given["sources"], given["splits"], given["epochs"], given["truth_file"],
            costs=False,
        )  # fmt: skip
        watch.look()
        if stored_only:
            wanted = dict.fromkeys(benchmarks, _of_store(named, given, truth))
        else:
            wanted = _scored(benchmarks, given, truth, store, computing)
        watch.look()
        made = _recording.recorded(store, wanted, truth, watch)
    written = files.write(made, baseline)
    for entry in made.entries:
        click.echo(
            f"{entry.name}: {plural(len(entry.metrics), 'metric')} on {len(entry.architectures)} architectures, "
            f"{plural(len(entry.recipes), 'initialisation seed')}; {'; '.join(t.description for t in entry.truths)}"
        )
    for one in judge(made, made.entries).power:
        click.echo(f"{one.metric}: {one.message}")
    click.echo(f"written: {' and '.join(map(str, written))}")


def _of_store(named: set[str], given: dict[str, Any], truth: TruthOptions) -> Wanted:
    """Ask for what a store holds, as far as options restrict it."""
    def asked(name: str) -> Any:
        return given[name] if name in named else None

    if "limit" in named or "seeds" in named:
        raise ZcbenchError("--limit and --seeds go with --sample, --architectures or --all")
    several = [name for name in ("datasets", "labels") if len(asked(name) or ()) > 1]
    if several:
        raise ZcbenchError("a baseline takes scores on one dataset, with one kind of labels")
    first = {name: next(iter(asked(name) or ()), None) for name in ("datasets", "labels", "network")}
    return Wanted(
        first["datasets"], asked("batch_size"), asked("init"), first["network"], asked("resolution"), first["labels"],
        metrics=frozenset(m.key for m in select(given["metrics"])) if "metrics" in named else None,
        prefer=truth.datasets,
    )  # fmt: skip


def _scored(
    benchmarks: tuple[str, ...], given: dict[str, Any], truth: TruthOptions, store: Any, computing: _scoring.Computing
) -> dict[str, Wanted]:
    """Score what the options say, and ask for that."""
    setting = _scoring.Setting(*(
        given[name] for name in ("datasets", "labels", "images", "resolution", "network", "tasks", "metrics", "seeds",
                                 "batch_size", "init", "first_seed")
    ))  # fmt: skip
    if len(setting.images) > 1:
        raise ZcbenchError("a baseline takes scores on one dataset, with one kind of labels")
    choice = Choice(*(
        given[name] for name in ("architectures", "sample", "sample_seed", "everything", "pool", "unique", "limit")
    ))  # fmt: skip
    jobs = _scoring.make_jobs(benchmarks, choice, setting, truth)
    _studying.check_truth(jobs, truth, "all")
    for job in jobs:
        if len(job.architectures) < FEWEST:
            raise ZcbenchError(
                f"{len(job.architectures)} architectures of {job.benchmark} are no baseline: it needs at least {FEWEST}"
            )
    _scoring.run_all(jobs, store, computing)
    return wanted_of(jobs, truth.datasets)


def _judge(baseline: Path, named: set[str], given: dict[str, Any]) -> GateResult:
    limits = Limits(
        parse_all(given["fail_on"]), given["confidence"], given["simultaneous"], given["tolerance"],
        given["max_cost_ratio"],
    )  # fmt: skip
    again = _gating.Again(
        given["computing"], given["images"], given["truth_file"], given["recorded_truth"],
        given["first_seed"] if "first_seed" in named else None, given["store_path"],
    )  # fmt: skip
    chosen = select(given["metrics"]) if "metrics" in named else None
    result = _gating.judged(files.read(baseline), again, limits=limits, metrics=chosen)
    click.echo(text(result), nl=False)  # first: it must not get lost where a file cannot be written
    written = {"as_json_file": as_json, "junit_file": junit, "markdown_file": markdown}
    for name, writer in written.items():
        if given[name] is not None:
            write_text(given[name], writer(result))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(markdown(result))
    return result
