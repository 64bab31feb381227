"""At least 2,000 changed files of every format and 2,000 changed calls of every verb: one line each, and nothing else.

The cases are seeded: case n of a format is the same everywhere. `ZCBENCH_FUZZ_CASES` takes another number of them.
"""

import os

import click
import pytest
from fuzz.calls import COMMANDS
from fuzz.formats import FORMATS
from fuzz.fuzzing import run

from zcbench.harness import cli

CASES = int(os.environ.get("ZCBENCH_FUZZ_CASES", "2000"))


def found(kind: str, name: str) -> None:
    result = run(kind, name, CASES)
    print(f"{name}: {result.cases} cases, {result.accepted} without an error, {len(result.lines)} different lines")
    assert result.cases == CASES
    assert not result.faults, "\n".join(result.faults.values())
    assert len(result.lines) > 1  # neither all refused for one reason nor all accepted


def test_every_verb_has_calls_that_are_changed() -> None:
    context = click.Context(cli.zcbench)
    verbs = {name: cli.zcbench.get_command(context, name) for name in cli.zcbench.list_commands(context)}
    assert {name for name in COMMANDS if " " not in name} | {"data"} == set(verbs)
    data = verbs["data"]
    assert isinstance(data, click.Group)
    shown = {name for name, command in data.commands.items() if not command.hidden}  # the hidden one is another name
    assert {name.removeprefix("data ") for name in COMMANDS if " " in name} == shown


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", FORMATS)
def test_no_changed_file_does_more_than_one_line(name: str) -> None:
    found("formats", name)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", COMMANDS)
def test_no_changed_call_does_more_than_one_line(name: str) -> None:
    found("commands", name)
