"""What the gate found as text, JUnit XML and Markdown: complete, equal for equal results, and safe with any names."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcbench.harness.gate.junit import junit
from zcbench.harness.gate.markdown import LEFT_OUT, LIMIT, MOST_DETAILS, MOST_ROWS, markdown
from zcbench.harness.gate.result import Check, GateResult, Kind, Power, Status
from zcbench.harness.gate.text import text
from zcbench.harness.gate.wording import ADVICE, visible

NAN = float("nan")
WRITERS = (text, junit, markdown)
HOSTILE = (
    "a|b", "`code`", "<script>alert(1)</script>", "]]>", "&amp;", "line\nbreak", "\n::error::gotcha",
    "\x1b[31mred\x1b[0m", "nul\x00", "\u202egnp.exe", "\udc80 no UTF-8", "\ufffe", "@everyone", "#1", "[a](http://x.y)",
    "![](http://x.y/z.png)",
    "**bold** __init__ ~~gone~~", "\u2028",
    '"quoted" \'twice\'', "</code></details>", "swap(repeats=32)", "ümläut", "🙂",
)  # fmt: skip


def correlation(status: Status, metric: str = "snip", then: float = 0.7, now: float = 0.7, **other: object) -> Check:
    numbers = {"then": then, "now": now, "difference": now - then, "upper": now - then + 0.05, "margin": 0.02}
    made = Check(Kind.CORRELATION, status, "nasbench201", "cifar10", metric, "what was found", "spearman", 59, numbers)
    return replace(made, **other)  # type: ignore[arg-type]


VALUE = Check(
    Kind.VALUE, Status.FAIL, "nasbench201", "", "snip", "59 of 59 scores differ, and the version is still 1", n=59,
    numbers={"changed": 59.0, "largest": 2.0, "tolerance": 1e-6}, details=("first cell: 1.0, now -1.0",),
)  # fmt: skip
OUTCOME = Check(Kind.OUTCOME, Status.PASS, "nasbench201", "", "snip", "no new ones", numbers={"then": 1.0, "now": 1.0})
COST = Check(
    Kind.COST, Status.PASS, "nasbench201", "", "snip", "as then",
    numbers={"then": 0.0412, "now": 0.0435, "ratio": 1.0558, "limit": 2.0},
)  # fmt: skip
VERSION = Check(
    Kind.VERSION, Status.NOTE, "nasbench201", "", "snip", "rose", numbers={"then": 1.0, "now": 2.0}
)  # fmt: skip
DATA = Check(Kind.DATA, Status.MISSING, "nasbench101", "cifar10", "", "there is no table nasbench101.parquet")
LOSS = correlation(Status.FAIL, now=-0.7, message="spearman fell by 1.4")


def power(metric: str = "snip", smallest: float = 0.052) -> Power:
    return Power("nasbench201", "cifar10", metric, "spearman", 59, 0.02, smallest, 0.8, 3, "what it can see")


def result(*checks: Check, powers: tuple[Power, ...] = (), **other: object) -> GateResult:
    made = GateResult(
        "reference.json", checks, powers, 0.95, False, 2, 0.0975, ("spearman < -0.02",), ("a note of the run",),
        {"made": "now"},
    )  # fmt: skip
    return replace(made, **other)  # type: ignore[arg-type]


EVERYTHING = result(LOSS, correlation(Status.PASS, "swap"), VALUE, OUTCOME, COST, VERSION, DATA, powers=(power(),))


@pytest.mark.parametrize("write", WRITERS)
def test_equal_results_give_equal_outputs_whatever_the_provenance(write: object) -> None:
    other = replace(EVERYTHING, provenance={"made": "later", "host": "elsewhere"})
    assert write(EVERYTHING) == write(other)  # type: ignore[operator]
    assert write(EVERYTHING) != write(replace(EVERYTHING, checks=EVERYTHING.checks[1:]))  # type: ignore[operator]


def test_the_text_says_first_what_failed_and_what_to_do() -> None:
    lines = text(EVERYTHING).splitlines()
    assert lines[0] == EVERYTHING.headline
    assert lines[1] == "baseline reference.json; fails for spearman < -0.02, at 95 % confidence of each check"
    assert lines[3] == "FAIL  correlation nasbench201 cifar10 snip spearman: spearman fell by 1.4"
    assert lines[4] == "  -> " + ADVICE[Kind.CORRELATION]
    assert lines[6:9] == [f"FAIL  {VALUE.name}: {VALUE.message}", "  - first cell: 1.0, now -1.0",
                          "  -> " + ADVICE[Kind.VALUE]]  # fmt: skip
    assert "  FAIL  snip    nasbench201  cifar10  spearman   59  0.700  -0.700      -1.400  -1.350  -0.020" in lines
    assert "  pass  outcome  snip  nasbench201  no new ones" in lines
    assert "  - snip on nasbench201, cifar10, spearman: what it can see" in lines
    assert lines[-2:] == ["notes", "  - a note of the run"]


def test_the_text_of_a_run_without_checks_is_short() -> None:
    assert text(result(correlation_checks=0, notes=())).count("\n") == 2


def test_the_family_of_checks_has_its_level() -> None:
    assert "at 99.9 % confidence, of all correlation checks together" in text(
        replace(EVERYTHING, confidence=0.999, simultaneous=True)
    )


CHILDREN = {
    "testsuites": r"(testsuite )*",
    "testsuite": r"(properties )?(testcase )*(system-out )?(system-err )?",
    "properties": r"(property )*",
    "property": "",
    "testcase": r"((skipped|error|failure) )?(system-out )?(system-err )?",
    "failure": "",
    "error": "",
    "skipped": "",
    "system-out": "",
}
"""The order of elements that both common schemas (JUnit.xsd of the Ant task, junit-10.xsd of Jenkins) allow."""
REQUIRED = {
    "testsuite": {"name", "tests", "failures", "errors", "time"},
    "testcase": {"name", "classname", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
    "property": {"name", "value"},
}


def checked(document: str) -> ET.Element:
    """Parse JUnit XML and hold it against the schemas."""
    root = ET.fromstring(document.encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        below = "".join(f"{child.tag} " for child in element)
        assert re.fullmatch(CHILDREN[element.tag], below), (element.tag, below)
        assert set(element.attrib) >= REQUIRED.get(element.tag, set())
    counts = (("tests", ".//testcase"), ("failures", ".//failure"), ("errors", ".//error"), ("skipped", ".//skipped"))
    for part in (root, *root):
        for count, tag in counts[: 3 if part is root else 4]:
            assert int(part.attrib[count]) == len(part.findall(tag))
    names = [case.attrib["name"] for case in root.iter("testcase")]
    assert len(set(names)) == len(names)
    return root


def test_junit_has_one_case_a_check() -> None:
    root = checked(junit(EVERYTHING))
    assert [suite.attrib["name"] for suite in root] == ["nasbench201", "nasbench101"]
    cases = {case.attrib["name"]: case for case in root.iter("testcase")}
    assert sorted(cases) == sorted(check.name for check in EVERYTHING.checks)
    for check in EVERYTHING.checks:
        failure, error, skipped = (cases[check.name].find(tag) for tag in ("failure", "error", "skipped"))
        assert (failure is not None) == (check.status is Status.FAIL)
        assert (error is not None) == (check.status is Status.MISSING)
        assert (skipped is not None) == (check.status is Status.NOTE)
    failure = cases[VALUE.name].find("failure")
    assert failure is not None
    assert failure.attrib == {"message": VALUE.message, "type": "value"}
    assert failure.text is not None
    assert "first cell: 1.0, now -1.0" in failure.text
    assert failure.text.endswith("changed 59, largest 2.0e+00, tolerance 1.0e-06")
    error = cases[DATA.name].find("error")
    assert error is not None
    assert error.attrib == {"message": "could not be made: there is no table nasbench101.parquet", "type": "data"}


def test_the_schema_check_can_fail() -> None:
    wrong = junit(EVERYTHING).replace("</properties>", "</properties><system-out />", 1)
    with pytest.raises(AssertionError):
        checked(wrong)


def test_the_markdown_has_verdict_table_advice_and_power() -> None:
    written = markdown(EVERYTHING)
    assert written.startswith("## zcbench gate: failed\n\nThe gate failed: of 7 checks, 2 failed, ")
    assert "### Failed: correlation with the ground truth\n\n- <code>snip</code> on <code>nasbench201</code>" in written
    assert ADVICE[Kind.CORRELATION] in written
    assert ADVICE[Kind.VALUE] in written
    assert ADVICE[Kind.COST] not in written
    rows = [line for line in written.splitlines() if line.startswith("| **fail** | <code>snip</code>")]
    assert rows[0].endswith("| 59 | 0.700 | −0.700 | −1.400 | −1.350 | −0.020 |")
    assert "### Could not be made: images and ground truth\n\n- data of <code>nasbench101</code>" in written
    assert "80 % is 0.052 (<code>snip</code> on <code>nasbench201</code>, <code>cifar10</code>" in written
    assert written.count("<details>") == written.count("</details>") == 4
    assert "\nWhere nothing has changed but chance, this gate fails with a probability of at most 9.75 %.\n" in written
    assert "chance" not in markdown(result(VALUE, false_alarms=0.0))
    assert markdown(result(OUTCOME)).startswith("## zcbench gate: passed\n\nThe gate passed: of 1 check, 1 passed.")
    assert markdown(result(DATA)).startswith("## zcbench gate: incomplete\n")


def test_the_markdown_says_from_which_to_which_loss_and_who_is_blind() -> None:
    powers = (power(), power("swap", 0.2), power("zen", NAN))
    written = markdown(result(LOSS, powers=powers))
    assert "lies between 0.052 (<code>snip</code>" in written
    assert "and 0.200 (<code>swap</code>" in written
    assert "; 1 of 3 correlation checks would miss any loss so often." in written
    assert "Too few architectures: 1 of 1 correlation checks" in markdown(result(LOSS, powers=powers[2:]))


def test_numbers_that_do_not_exist_are_dashes() -> None:
    missing = correlation(Status.MISSING, now=NAN)
    assert re.search(r"0\.700 +- +- +- +-0\.020\n", text(result(missing)))
    assert "| 0.700 | - | - | - | −0.020 |" in markdown(result(missing))
    assert "nan" not in junit(result(missing))


def test_the_markdown_stays_below_the_limit_of_a_comment() -> None:
    many = tuple(
        correlation(Status.FAIL, f"metric_{n}", details=tuple(f"cell {i} of {n}" for i in range(50)))
        for n in range(900)
    )
    written = markdown(result(*many))
    assert len(written) <= LIMIT
    assert written.startswith("## zcbench gate: failed")
    assert written.endswith(LEFT_OUT)
    assert f"And {900 - MOST_ROWS} more." in written
    assert f"- and {50 - MOST_DETAILS} more" in written
    assert written.count("<details>") == written.count("</details>")
    long = markdown(result(correlation(Status.FAIL, "m" * 100_000)))
    assert len(long) < 10_000


def test_failures_come_first_where_the_table_is_cut() -> None:
    passed = tuple(correlation(Status.PASS, f"metric_{n}") for n in range(100))
    table = [line for line in markdown(result(*passed, LOSS)).splitlines() if line.startswith("|")]
    assert table[2].startswith("| **fail** | <code>snip</code>")
    assert len(table) == 2 + MOST_ROWS


OURS = {"code", "/code", "span", "/span", "details", "/details", "summary", "/summary"}


def harmless(made: GateResult, name: str) -> None:
    """Assert that a name has no effect on any of the three forms."""
    for written in (text(made), junit(made), markdown(made)):
        written.encode()
        assert all(c == "\n" or c.isprintable() for c in written)
    for line in text(made).splitlines():
        assert not line.lstrip().startswith(("::", "##["))
    root = checked(junit(made))
    assert {case.attrib["name"] for case in root.iter("testcase")} == {visible(c.name) for c in made.checks}
    written = markdown(made)
    assert set(re.findall(r"<([^>]*)>", written)) <= OURS
    tables = [line for line in written.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} == {12, 6}
    for line in written.splitlines():
        shown = re.sub(r"&#\d+;|</?(code|span|details|summary)>", "", line)
        if not line.startswith(("|", "## ", "### ")):
            assert not re.search(r"[`<>\[\]@#~!\\&]|(?<!^- )\*", shown), line
    assert visible(name)[:200] in unescape(re.sub(r"</?\w+>", "", written))


def named(name: str) -> GateResult:
    bad = correlation(Status.FAIL, name, benchmark=name, target=name, statistic=name, message=f"{name} fell",
                      details=(name, f"x {name}"))  # fmt: skip
    good = replace(OUTCOME, benchmark=name, metric=name, message=name)
    made = result(bad, good, powers=(replace(power(name), benchmark=name, target=name, message=name),))
    return replace(made, baseline=name, rules=(name,), notes=(name,))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_only_names(name: str) -> None:
    harmless(named(name), name)


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=30))
def test_any_name_is_only_a_name(name: str) -> None:
    harmless(named(name), name)
