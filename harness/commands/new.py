"""``zcbench new``: write files that a user begins with."""

from __future__ import annotations

import ast
import importlib.util
import keyword
import re
import shlex
import sys
from importlib import resources
from pathlib import Path

import click

from zcbench.harness.commands import _options
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.replace import write_text

LONGEST = 60
"""Characters of a metric's name: it is the head of a column."""

WORKFLOW = "metric-quality.yml"


@click.group("new")
def command() -> None:
    """Write files to begin with; none that exists is overwritten.

    \b
    Example:
        zcbench new metric my_metric
    """


@command.command("metric", short_help="A working metric with its test and slow reference.")
@click.argument("name")
@click.option("--out", type=_options.PATH, default=Path(), metavar="FOLDER", help="Folder to write to; default: here.")
def metric(name: str, out: Path) -> None:
    """Write NAME.py, a metric that works and says where to change it, and test_NAME.py, which runs with pytest.

    \b
    Example:
        zcbench new metric my_metric
    """
    _check_name(name, out)
    files = {out / f"{name}.py": "metric.py.template", out / f"test_{name}.py": "test_metric.py.template"}
    _write({path: _template(template).replace("my_metric", name) for path, template in files.items()})
    own, test = files
    click.echo(f"wrote {own}: the metric; its comments say what to change")
    click.echo(f"wrote {test}: its test with a slow reference")
    first = "" if importlib.util.find_spec("pytest") else "pip install pytest; "
    click.echo(f"next: {first}pytest {_quoted(test)}; zcbench check {_quoted(own)}; zcbench compare {_quoted(own)}")


@command.command("workflow", short_help="A GitHub workflow that guards the quality of metrics.")
@click.option("--out", type=_options.PATH, default=Path(".github/workflows"), show_default=True, metavar="FOLDER",
              help="Folder to write to.")  # fmt: skip
def workflow(out: Path) -> None:
    """Write a workflow that runs zcbench gate on every pull request.

    \b
    Example:
        zcbench new workflow
    """
    path = out / WORKFLOW
    _write({path: _template(WORKFLOW)})
    click.echo(f"wrote {path}: it runs zcbench gate on every pull request")
    click.echo("next: record the baseline, as its first lines say, and commit both")


def _check_name(name: str, out: Path) -> None:
    """Refuse a name that Python, pytest or another metric has a use for.

    Raises:
        ZcbenchError: with what is wrong with the name.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > LONGEST:
        words = re.findall(r"[a-z]+|[0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).lower())
        proposed = re.sub(r"^[0-9_]+", "", "_".join(words))[:LONGEST].strip("_")
        better = f", for example {proposed}" if proposed and proposed != name else ""
        rule = f"take lower snake case, a letter first, at most {LONGEST} characters"
        raise ZcbenchError(f'"{name}" is no name for a metric: {rule}{better}')
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise ZcbenchError(f'"{name}" is a word of Python itself: take another name, for example {name}_metric')
    if name.startswith("test_"):
        raise ZcbenchError(f'"{name}" is what pytest calls a test: take another name, for example {name[5:]}')
    if name in ("zcbench", "conftest", "test") or name in sys.stdlib_module_names or _installed(name, out):
        raise ZcbenchError(f'"{name}" is a module that Python has already: take another name, e.g. my_{name}')
    if name in _imported(_template("metric.py.template")):
        raise ZcbenchError(f'"{name}" is what the file itself imports: take another name, for example my_{name}')
    from zcbench.harness.registry import groups, metrics  # imports torch

    if name in metrics() or name in groups():
        kind = "a metric" if name in metrics() else "a group of metrics"
        raise ZcbenchError(f'there is {kind} called {name} already: take another name, for example {name}_2')


def _installed(name: str, out: Path) -> bool:
    """Whether a module of this name is found elsewhere than in the folder that is written to."""
    found = importlib.util.find_spec(name)
    return found is not None and (found.origin is None or Path(found.origin).resolve().parent != out.resolve())


def _imported(code: str) -> set[str]:
    """Return the names that a file imports; a function of such a name would take its place."""
    imports = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Import | ast.ImportFrom))
    return {alias.asname or alias.name for node in imports for alias in node.names}


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _template(name: str) -> str:
    return resources.files("zcbench.harness").joinpath("templates", name).read_text(encoding="utf-8")


def _write(texts: dict[Path, str]) -> None:
    """Write files of which none exists.

    Raises:
        ZcbenchError: if one exists, before any is written, or cannot be written.
    """
    there = [str(path) for path in texts if path.exists() or path.is_symlink()]
    if there:
        exist = "exists already and is left as it is" if len(there) == 1 else "exist already and are left as they are"
        raise ZcbenchError(f"{' and '.join(there)} {exist}: take another name or --out")
    for path, text in texts.items():
        write_text(path, text)
