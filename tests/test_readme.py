"""Every command and every piece of code in the README is run; the picture and the table are there."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from zcbench.harness.candidate import measure
from zcbench.harness.cli import main
from zcbench.harness.registry import groups, select

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", README, flags=re.MULTILINE | re.DOTALL)


COMMANDS = [line.strip() for block in blocks("sh") for line in block.splitlines() if line.strip()]
INSTALL, TEST = (line for line in COMMANDS if line.startswith("python3 -m venv"))
VERBS = [line for line in COMMANDS if line.startswith("zcbench ")]
WITH_FILES = [
    line for line in VERBS
    if re.match(r"zcbench data (convert|fetch|verify)|zcbench run --.*(cifar10-run|several-run)", line)
]  # fmt: skip
QUICKER = {
    "score": ("--workers", "1"), "gate": ("--workers", "1"),
    "compare": ("--workers", "1", "--limit", "12", "--resolution", "8", "--batch-size", "16", "--resamples", "50"),
    **dict.fromkeys(("analyse", "report", "transfer", "results"), ("--resamples", "50")),
}  # fmt: skip
"""What is added to the lines of verbs that score and resample."""


def run(arguments: list[str]) -> str:
    output = io.StringIO()
    with contextlib.redirect_stdout(output), pytest.raises(SystemExit) as leave:
        main(arguments)
    assert leave.value.code == 0, (arguments, output.getvalue())
    return output.getvalue()


def test_ci_runs_the_test_line() -> None:
    assert TEST in (ROOT / ".ci" / "run").read_text().splitlines()


def test_every_line_is_known_to_these_tests() -> None:
    others = [line for line in COMMANDS if line not in (INSTALL, TEST) and line not in VERBS]
    assert others == ["export ZCBENCH_DATA=/path/to/that/folder"]
    assert INSTALL.endswith(".venv/bin/zcbench run")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_on_embedded_data(
    place: Path, one_cell_a_stage: None, small_checks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process and on smaller networks: what the lines print and write hangs on neither."""
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
    for line in VERBS:
        if line not in WITH_FILES:
            verb, *more = shlex.split(line)[1:]
            run([verb, *more, *QUICKER.get(verb, ())])
    assert (place / "report" / "index.html").stat().st_size > 10_000
    assert (place / "analysis" / "correlations.csv").read_text().count("\n") > 50
    assert (place / "scores.parquet").is_file()


def test_the_first_line_with_fewer_architectures(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``zcbench run`` as in the first line, but for the number of architectures."""
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
    arguments = [*shlex.split(INSTALL.split(".venv/bin/zcbench ")[1]), "--limit", "5", "--workers", "1"]
    printed = run(arguments)
    assert "zcbench-run/report/index.html" in printed
    page = (place / "zcbench-run" / "report" / "index.html").read_text()
    for name in ("nwot", "synflow", "layers", "Reproduction", "Coverage", "Provenance", "analognasbench"):
        assert name in page
    again = run(arguments)
    assert again == printed


def test_the_commands_on_official_files(place: Path, data_folder: Path, one_cell_a_stage: None) -> None:
    """The official files are replaced by the few records of them that the data folder has."""
    fixtures = data_folder / "fixtures"
    given = {
        "nasbench_only108.tfrecord": fixtures / "nasbench101_synthetic.tfrecord",
        "NATS-tss-v1_0-3ffb9-simple": fixtures / "nats_bench" / "NATS-tss-v1_0-3ffb9-simple",
        "NATS-sss-v1_0-50262-simple": fixtures / "nats_bench" / "NATS-sss-v1_0-50262-simple",
    }
    told = {"nasbench101": "423624", "nasbench201": "165 rows of 3 of 15625", "natsbench_size": "3 of 32768"}
    for line in WITH_FILES:
        arguments = shlex.split(line)[1:]
        if arguments[1] == "convert" and arguments[3] in given:
            assert told[arguments[2]] in run([*arguments[:3], str(given[arguments[3]]), *arguments[4:]])
        elif arguments[0] == "run":
            run([*arguments, "--limit", "4", "--metrics", "snip,params", "--resamples", "20"])
    assert (place / "nasbench201.parquet").is_file()
    assert (place / "several-run" / "report" / "index.html").is_file()


def test_the_code_runs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from_python, new_metric = blocks("python")
    exec(compile(from_python, "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.count("nwot") == 4
    module: dict[str, object] = {"__name__": "readme"}
    exec(compile(new_metric, "README.md", "exec"), module)
    from networks import KEY, batch, make

    found = measure(make("plain"), batch(), [module["largest_step"], *select("snip")], key=KEY)  # type: ignore[list-item]
    assert 0 < (found["largest_step"].value or 0) < (found["snip"].value or 0)


def test_the_picture_is_there() -> None:
    for path in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / path).stat().st_size > 20_000


def test_the_table_names_every_standard_metric() -> None:
    assert "@@" not in README
    rows = dict(re.findall(r"^\| (\w+) \| (−?0\.\d\d) \[", README, flags=re.MULTILINE))
    assert set(rows) == set(groups()["standard"])
