"""The command line: finds the verbs in ``commands/`` and turns every error into one line."""

from __future__ import annotations

import importlib
import os
import sqlite3
import sys
import traceback
from typing import Any

import click

from zcbench.harness import commands
from zcbench.harness.environment import package_version
from zcbench.harness.errors import MissingFileError, ZcbenchError, did_you_mean, one_line
from zcbench.harness.signals import ctrl_c_held_back, endings_as_ctrl_c
from zcbench.harness.standard_error import heard_or_not

INTERRUPTED = 130
INTERNAL = 70


VERBS = {
    "run": "Score, analyse and report: the whole job in one line.",
    "list": "List metrics, groups, benchmarks, datasets, initialisations and plug-ins.",
    "data": "Show, fetch, convert and verify ground truth and images.",
    "plan": "Show the shared passes that metrics take.",
    "score": "Score architectures with metrics, into a store.",
    "analyse": "Correlate stored scores with trained accuracies.",
    "report": "Render a store as HTML, Markdown, LaTeX and CSV.",
    "transfer": "Hold scores made on several datasets against the accuracies on several.",
    "operations": "Score the operations of a supernet, and hold the scores against accuracies.",
    "export": "Write the scores of a store as Parquet or CSV.",
    "merge": "Join the rows of several stores in one.",
    "new": "Write a metric file with its test, or a CI workflow, to begin with.",
    "check": "Try the contracts of a metric and explain what is broken.",
    "compare": "Is a new metric better than the baselines?",
    "gate": "Fail where a metric lost quality, against a recorded baseline.",
    "results": "Export results to share: one JSON file for each metric, version and benchmark.",
    "leaderboard": "Merge shared results into one static page.",
}
"""What each is for, in the order of the work: here, so that a list of them need not import them."""


class _Text(click.types.StringParamType):
    """A text; the bytes of an argument that are not UTF-8, which nothing can be compared with or written, are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the text.

        Raises:
            click.BadParameter: if it is none.
        """
        text = super().convert(value, param, ctx)
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            self.fail(f"{text!a} is not UTF-8", param, ctx)
        return text


def _with_texts(command: click.Command) -> click.Command:
    """Let every option and argument of a verb that is a text be one."""
    for param in command.params:
        if param.type is click.STRING:
            param.type = _Text()
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        _with_texts(below)
    return command


class Verbs(click.Group):
    """A group whose commands are files of a folder, imported only when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the verbs in the order of the work."""
        return list(VERBS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs; to import them all takes three seconds."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb."""
        if cmd_name not in VERBS:
            return None
        with ctrl_c_held_back():  # an import of torch or numpy that is cut short may crash, or go on as if nothing were
            found: click.Command = importlib.import_module(f"{commands.__name__}.{cmd_name}").command
        return _with_texts(found)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which ones are near."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            raise click.UsageError(f'unknown verb "{args[0]}".{did_you_mean(args[0], VERBS)}')
        return super().resolve_command(ctx, args)


@click.group(
    cls=Verbs, invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)  # fmt: skip
@click.version_option(package_version("zcbench"), prog_name="zcbench")
@click.pass_context
def zcbench(ctx: click.Context) -> None:
    """Score NAS architectures with training-free metrics and hold the scores against trained accuracies.

    \b
    The whole job on data that comes with the installation, a few minutes on two cores:
        zcbench run --out zcbench-run
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(2)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code: 0, 2 bad input, 3 missing file, 130 interrupted."""
    with heard_or_not(), endings_as_ctrl_c():
        code = _run(arguments)
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    try:
        code = zcbench.main(args=arguments, prog_name="zcbench", standalone_mode=False)
    except click.exceptions.Exit as leave:
        code = leave.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted; run the same command again to go on")
        code = INTERRUPTED
    except Exception as error:  # one line for everything that can go wrong
        if os.environ.get("ZCBENCH_DEBUG"):
            traceback.print_exc()
        code, text = explain(error)
        _say(text)
    _give_up_unwritten_output()
    return code if isinstance(code, int) else 0


def _give_up_unwritten_output() -> None:
    """Point a standard output that cannot be written, a full disk or a closed pipe, at nowhere.

    Otherwise Python tries again to write the rest when it ends, and leaves with its own exit code.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def explain(error: Exception) -> tuple[int, str]:
    """Return the exit code and the one line for an error."""
    if isinstance(error, ZcbenchError):
        return error.exit_code, str(error)
    if isinstance(error, click.ClickException):
        command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "zcbench"
        return 2, f"{error.format_message()} (see {command} --help)"
    if isinstance(error, FileNotFoundError):
        return MissingFileError.exit_code, f"there is no file {error.filename}"
    if isinstance(error, OSError):
        return 2, f"{error.filename or 'the system'}: {error.strerror or error}"
    if isinstance(error, sqlite3.Error):
        return 2, f"the score store cannot be used: {error}"
    if isinstance(error, MemoryError):
        return 2, "out of memory: take a smaller --batch-size or fewer architectures"
    text = " ".join(str(error).split())
    return INTERNAL, f"a fault of zcbench, {type(error).__name__}: {text} (ZCBENCH_DEBUG=1 shows where)"


def _say(text: str) -> None:
    click.echo("zcbench: " + one_line(text), err=True)
