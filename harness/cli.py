"""The command line: finds the verbs in ``commands/`` and turns every error into one line."""

from __future__ import annotations

import importlib
import os
import pkgutil
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
        order = ["run", "list", "data", "plan", "score", "analyse", "report", "transfer", "operations", "export",
                 "merge", "new", "check", "compare", "gate", "results", "leaderboard"]  # fmt: skip
        files = {m.name for m in pkgutil.iter_modules(commands.__path__) if not m.name.startswith("_")}
        return [v for v in order if v in files] + sorted(files - set(order))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb."""
        if cmd_name not in self.list_commands(ctx):
            return None
        with ctrl_c_held_back():  # an import of torch or numpy that is cut short may crash, or go on as if nothing were
            found: click.Command = importlib.import_module(f"{commands.__name__}.{cmd_name}").command
        return _with_texts(found)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which ones are near."""
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            raise click.UsageError(f'unknown verb "{args[0]}".{did_you_mean(args[0], self.list_commands(ctx))}')
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
