"""docs/faults.md: every line names tests, every test that it names exists, and none of them is a stub."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "faults.md"
HEAD = ["what happens", "what you see", "what is kept", "test"]
NODE = re.compile(r"`(tests/[\w/]+\.py)::(\w+(?:::\w+)*)`")

Line = tuple[str, list[str]]
"""A chapter and the cells of one line of its table."""


def cells(line: str) -> list[str]:
    """The cells of a line of a table; a vertical bar inside a cell is written with a backslash."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def lines(text: str) -> list[Line]:
    """Every line of the tables without their heads, each with the chapter that it stands in."""
    found, chapter = [], ""
    for line in text.splitlines():
        if line.startswith("## "):
            chapter = line[3:].strip()
        elif line.startswith("|") and not re.fullmatch(r"\|(\s*:?-+:?\s*\|)+", line) and cells(line) != HEAD:
            found.append((chapter, cells(line)))
    return found


@cache
def declared_tests(path: Path) -> dict[str, ast.FunctionDef]:
    """The tests of a file by the part of their node id behind the path, without running anything."""
    found: dict[str, ast.FunctionDef] = {}

    def walk(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
                walk(node.body, f"{prefix}{node.name}::")
            elif isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
                found[prefix + node.name] = node

    walk(ast.parse(path.read_text(encoding="utf-8")).body, "")
    return found


def checks_something(test: ast.FunctionDef) -> bool:
    """Whether a test does more than pass: it asserts, calls something or expects an exception."""
    return any(isinstance(node, ast.Assert | ast.Call | ast.With) for part in test.body for node in ast.walk(part))


def faults_of(text: str) -> list[str]:
    """What is wrong with a page, a sentence each."""
    wrong = []
    for chapter, line in lines(text):
        what = f"{chapter}: {line[0]}"
        if not chapter or len(line) != len(HEAD) or not line[0] or not line[1]:
            wrong.append(f"{what}: a line has a chapter and four cells, the first two with text")
            continue
        named = NODE.findall(line[3])
        if not named or NODE.sub("", line[3]).strip(" ,"):
            wrong.append(f"{what}: the last cell holds node ids in backticks and nothing else")
        for file, test in named:
            path = ROOT / file
            if not path.is_file() or test not in declared_tests(path):
                wrong.append(f"{what}: there is no test {file}::{test}")
            elif not checks_something(declared_tests(path)[test]):
                wrong.append(f"{what}: {file}::{test} checks nothing")
    return wrong


def test_every_line_is_backed_by_tests_that_exist() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert faults_of(text) == []
    assert len(lines(text)) >= 14


def test_a_chapter_stands_once_and_has_a_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    chapters = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert len(chapters) == len(set(chapters))
    assert set(chapters) == {chapter for chapter, _ in lines(text)}
    assert text.count(f"| {' | '.join(HEAD)} |") == len(chapters)


TRUE = "`tests/docs/test_faults.py::test_every_line_is_backed_by_tests_that_exist`"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (f"| a | b | c | {TRUE} |", None),
        (f"| a \\| head | b | | {TRUE}, {TRUE} |", None),
        ("| a | b | c | `tests/docs/test_faults.py::test_of_nothing` |", "there is no test"),
        ("| a | b | c | `tests/docs/test_nothing.py::test_of_nothing` |", "there is no test"),
        ("| a | b | c | `tests/docs/test_faults.py::cells` |", "there is no test"),
        ("| a | b | c | |", "node ids"),
        (f"| a | b | c | see {TRUE} |", "node ids"),
        (f"| a | b | {TRUE} |", "four cells"),
        (f"| | b | c | {TRUE} |", "four cells"),
    ],
)
def test_a_page_that_promises_more_is_found_out(line: str, complaint: str | None) -> None:
    found = faults_of(f"## Chapter\n\n| {' | '.join(HEAD)} |\n|---|---|---|---|\n{line}\n")
    assert [complaint in one for one in found] == ([True] if complaint else [])


def test_a_test_of_nothing_is_found_out() -> None:
    empty, full = ast.parse("def test_a(): pass\ndef test_b(): assert 1 == 1").body
    assert isinstance(empty, ast.FunctionDef)
    assert isinstance(full, ast.FunctionDef)
    assert not checks_something(empty)
    assert checks_something(full)
