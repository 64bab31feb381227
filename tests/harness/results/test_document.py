"""A result as JSON and back, its published schema, and the name of its file."""

import copy
import dataclasses
import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from shared_results import BOB, measurement, result

from zcbench.harness.errors import ZcbenchError
from zcbench.harness.results import schema
from zcbench.harness.results.document import file_name, from_document, slug, to_document, to_text
from zcbench.harness.results.read import parse


def test_a_result_comes_back_as_it_was() -> None:
    first = dataclasses.replace(result(measurement(), measurement(truth_target="cifar100")), file="")
    text = to_text(first)
    again = from_document(parse(text.encode()))
    assert to_text(again) == text
    # NaN is no value that equals itself; everything else does, so take the statistic without one away.
    shorter = [dataclasses.replace(one, statistics=one.statistics[:-1]) for one in first.measurements]
    plain = dataclasses.replace(first, measurements=tuple(shorter))
    assert from_document(parse(to_text(plain).encode())) == plain
    assert '"value": null' in text


def test_the_schema_is_one_and_says_what_every_member_is() -> None:
    content = json.loads(schema.text())
    Draft202012Validator.check_schema(content)
    assert content["properties"][schema.MARKER]["const"] == schema.VERSION
    assert content["$id"].endswith(f":{schema.VERSION}")
    for part in (content, *content["$defs"].values(), *content["properties"].values()):
        for name, member in part.get("properties", {}).items():
            assert member.get("description"), name


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Every member of every object in a document, but for those of free form."""
    if isinstance(value, dict) and not {"environments", "provenance"} & set(path):
        for name, inner in value.items():
            yield (*path, name)
            yield from places(inner, (*path, name))
    elif isinstance(value, list) and path[-1:] in (("measurements",), ("statistics",)):
        yield from places(value[0], (*path, 0))


DOCUMENT = to_document(result())


def changed(path: tuple, value: Any = None, *, remove: bool = False) -> dict[str, Any]:
    made = copy.deepcopy(DOCUMENT)
    part = made
    for step in path[:-1]:
        part = part[step]
    if remove:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return made


@pytest.mark.parametrize("path", [p for p in places(DOCUMENT) if p != (schema.MARKER,)], ids=str)
def test_every_member_is_needed_and_of_its_type(path: tuple) -> None:
    assert schema.problem(DOCUMENT) == ""
    missing = schema.problem(changed(path, remove=True))
    assert repr(path[-1]) in missing
    assert "required" in missing
    wrong = schema.problem(changed(path, [[]]))
    assert wrong
    assert "\n" not in wrong
    assert len(wrong) < 800


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ((schema.MARKER,), 2, "schema 2 of shared results, this zcbench knows 1: update zcbench"),
        ((schema.MARKER,), 10**30, "update zcbench"),
        ((schema.MARKER,), 0, "zcbench_result: 1 was expected"),
        ((schema.MARKER,), True, "zcbench_result: 1 was expected"),
        ((schema.MARKER,), "1", "zcbench_result: 1 was expected"),
        (("more",), 1, "'more' was unexpected"),
        (("metric", "version"), 0, "metric.version: 0 is less than the minimum of 1"),
        (("metric", "version"), 1.5, "metric.version"),
        (("metric", "name"), "", "metric.name"),
        (("metric", "name"), "a\nb", "metric.name: holds a control character"),
        (("metric", "name"), "a\u202eb", "metric.name: holds a control character, one that changes the direction"),
        (("by",), "\ud800", "by: holds a control character"),
        (("by",), "x" * 101, "by: is longer than 100 characters"),
        (("measurements",), [], "measurements"),
        (("measurements", 0, "truth", "digest"), "AA" * 8, "measurements[0].truth.digest"),
        (("measurements", 0, "truth", "digest"), "a" * 16 + "\n", "measurements[0].truth.digest"),
        (("measurements", 0, "statistics", 0, "name"), "spearman\n", "measurements[0].statistics[0].name"),
        (("measurements", 0, "statistics", 0, "slice"), "best", "measurements[0].statistics[0].slice"),
        (("measurements", 0, "recipe", "seeds"), [0] * 10_001, "seeds: has more than 10000 parts"),
        (("environments",), [], "environments"),
        (("environments",), [{"a\x1b[31m": "x"}], "environments[0]"),
        (("provenance",), {"a": 1}, "provenance.a"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(path: tuple, value: Any, says: str) -> None:
    found = schema.problem(changed(path, value))
    assert says in found
    assert found.isprintable()


STATISTIC = ("measurements", 0, "statistics", 0)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ((*STATISTIC, "value"), 1.5, "spearman on all lies outside of -1 to 1"),
        ((*STATISTIC, "low"), -1.01, "outside of -1 to 1"),
        ((*STATISTIC, "low"), 0.9, "the interval of spearman on all ends below where it begins"),
        ((*STATISTIC, "name"), "kendall", "a statistic is given twice"),
        (("measurements", 0, "recipe", "seeds"), [0, 1, 0], "a recipe names an initialisation seed twice"),
        (("measurements",), DOCUMENT["measurements"] * 2, "two of its measurements are of the same truth"),
    ],
)
def test_contradictions_that_no_schema_sees_are_refused(path: tuple, value: Any, says: str) -> None:
    document = changed(path, value)
    assert schema.problem(document) == ""
    with pytest.raises(ZcbenchError, match=says):
        from_document(document)


def test_what_cannot_be_read_is_not_written() -> None:
    with pytest.raises(ZcbenchError, match="cannot be shared: by: is longer"):
        to_text(result(by="x" * 101))


def test_the_name_of_a_file_says_what_was_measured_where_and_by_whom() -> None:
    first = result()
    name = file_name(first)
    assert name.startswith("nasbench201/snip-v1-")
    later = dataclasses.replace(first, provenance={"written": "tomorrow"}, file="elsewhere")
    more_rows = dataclasses.replace(first, environments=({**first.environments[0], "rows": "7"},))
    finer = result(measurement(resamples=50))
    assert {file_name(one) for one in (later, more_rows, finer)} == {name}
    others = [
        result(by="bob"), result(machine=BOB), result(version=2), result(code="ab"), result(name="snip(x=1)"),
        result(measurement(scores="00" * 8)), result(measurement(truth_digest="00" * 8)),
        result(measurement(architectures_digest="00" * 8)), result(measurement(recipe_digest="00" * 8)),
        result(measurement(undefined="worst")), result(measurement(), measurement(truth_target="cifar100")),
    ]  # fmt: skip
    assert len({name, *map(file_name, others)}) == len(others) + 1


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b\\c", "<b>", "CON: ", "..", "", "x" * 500, "Größe", "a\x00b"])
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    made = file_name(dataclasses.replace(result(name=name), benchmark=name))
    path = PurePosixPath(made)
    assert len(path.parts) == 2
    assert all(c.isascii() and (c.isalnum() or c in "-_.") for part in path.parts for c in part)
    assert ".." not in made
    assert max(map(len, path.parts)) < 100
    assert slug("swap(repeats=32)") == "swap-repeats-32"
