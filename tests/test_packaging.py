"""The packages that are listed are the packages that are there, and what is needed comes along."""

import re
import tomllib
from importlib.metadata import requires, version
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("harness", "datasets", "reports")


def test_the_listed_packages_are_those_on_disk() -> None:
    found = {
        "zcbench." + ".".join(path.parent.relative_to(ROOT).parts)
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found


def test_datasets_itself_is_a_namespace() -> None:
    assert not (ROOT / "datasets" / "__init__.py").exists()
    assert not (ROOT / "__init__.py").exists()


def test_data_files_are_installed() -> None:
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    for package, globs in patterns.items():
        folder = ROOT / package.removeprefix("zcbench.").replace(".", "/")
        for glob in globs:
            assert list(folder.glob(glob)), (package, glob)
    assert files("zcbench.harness").joinpath("py.typed").is_file()
    assert list(files("zcbench.reports").joinpath("published").iterdir())
    assert list(files("zcbench.reports").joinpath("templates").iterdir())


def test_the_constraints_name_every_dependency() -> None:
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")
    )
    known = {re.sub(r"[-_.]+", "-", name).lower() for name in pinned}
    for requirement in requires("zcbench") or []:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        assert name is not None
        if name.group() == "zcbench":  # an extra that includes another one
            continue
        assert re.sub(r"[-_.]+", "-", name.group()).lower() in known, requirement
    assert pinned["torch"] == "2.13.0"


def test_the_changelog_has_this_version() -> None:
    assert version("zcbench") in (ROOT / "CHANGELOG.md").read_text()
