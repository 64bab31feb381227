"""The leaderboard's page as text: complete, self-contained, with names that tell rows apart."""

import base64
import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser

import boards
import pytest

from zcbench.harness.results.entry import Board, Disagreement, Entry
from zcbench.reports.leaderboard import page
from zcbench.reports.leaderboard_details import anchors
from zcbench.reports.leaderboard_filters import filters
from zcbench.reports.leaderboard_rows import ranks, rows


class Elements(HTMLParser):
    """Collects the elements of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.found if name in attributes]


HTML = page(boards.small(), "Leaderboard")
ELEMENTS = Elements(HTML)


def script(html: str) -> str:
    (found,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    return str(found)


def cell(entries: Sequence[Entry], column: str, disagreements: Sequence[Disagreement] = ()) -> list[str]:
    made = rows(entries, anchors(entries), disagreements)[0]
    return [next(c.text for c in row.cells if c.column == column) for row in made]


def test_the_page_loads_nothing() -> None:
    links = ELEMENTS.values("href")
    assert {link[0] for link in links} == {"#", "d"}
    assert [link for link in links if not link.startswith("#")] == ["data:,"]
    assert not [name for _, attributes in ELEMENTS.found for name in attributes if name.startswith("on")]
    assert not any(ELEMENTS.values(name) for name in ("src", "srcset", "action", "formaction", "poster", "data"))
    styles = HTML.partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"url\(|@import|@font-face", styles)
    assert not re.search(r"fetch|XMLHttp|import|WebSocket|sendBeacon|innerHTML|eval|https?:", script(HTML))


def test_the_policy_allows_this_script_alone() -> None:
    (policy,) = [a["content"] for tag, a in ELEMENTS.found if a.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(script(HTML).encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; script-src 'sha256-{digest}';")
    assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "")


def test_the_whole_table_is_in_the_page() -> None:
    board = boards.small()
    assert [value.removeprefix("row=") for value in ELEMENTS.values("id") if value.startswith("row=")] == [
        entry.key for entry in board.entries
    ]
    values = cell(board.entries, "value", board.disagreements)
    for entry, value in zip(board.entries, values, strict=True):
        shown = "–" if math.isnan(entry.estimate.value) else f"{entry.estimate.value:.3f}".replace("-", "−")
        assert value == shown
        assert value in ELEMENTS.text


def test_every_link_has_an_end() -> None:
    names = ELEMENTS.values("id")
    assert len(names) == len(set(names))
    assert {link[1:] for link in ELEMENTS.values("href") if link.startswith("#")} <= set(names)


def test_both_sides_of_a_disagreement_come_before_the_table() -> None:
    above = HTML.partition("<table")[0]
    for text in ("Results disagree", "ada/result.json", "linus/result.json", "0.4100", "0.5500", "torch: 2.13.0 / 2"):
        assert text in above
    assert "Results disagree" not in page(boards.board([boards.entry()]), "Leaderboard")


def test_many_disagreements_leave_the_table_in_reach() -> None:
    board = boards.small()
    (one,) = board.disagreements
    many = (one, *(replace(one, key=f"{i:016d}", what=f"disagreement number {i}") for i in range(2, 10)))
    above = page(replace(board, disagreements=many), "Leaderboard").partition("<table")[0]
    assert "Results disagree in 9 places" in above
    shown, fold, folded = above.partition("<details>")
    assert fold
    assert "number 5" in shown
    assert "number 6" not in shown
    assert "4 more" in folded
    assert all(f"number {i}" in folded for i in range(6, 10))


def test_the_details_say_what_a_result_rests_on() -> None:
    found = re.search(r"<summary>snip · NAS-Bench-201 · cifar10 .*?</details>", HTML, flags=re.DOTALL)
    assert found is not None
    text = Elements(found.group()).text
    for part in ("Lee et al. 2019", "digits, train, batch 32", "cifar10 test accuracy after 200 epochs", "seeds 0, 1",
                 "300 of the population all of nasbench201@1; 12 more left out", "598 ok, 2 undefined, 0 failed",
                 "ada: Xeon, cpu, 1 thread", "grace: Xeon", "not the first one's scores bit for bit", "50.00 ms alone",
                 "bootstrap, percentile", "threads 1"):  # fmt: skip
        assert part in text, part


def test_ranks_compare_what_can_be_compared() -> None:
    entries = [
        boards.entry("a", 0.5), boards.entry("b", 0.7), boards.entry("c", 0.5), boards.entry("d", math.nan),
        boards.entry("e", 0.4), boards.entry("f", 0.9, n=200), boards.entry("g", 0.1, target="cifar100"),
        boards.entry("h", 0.9, source="naslib"), boards.entry("i", 0.9, slice_="top10_truth"),
        boards.entry("j", 0.9, statistic="kendall"), boards.entry("k", 0.2, statistic="regret_top1"),
        boards.entry("l", 0.1, statistic="regret_top1"),
    ]  # fmt: skip
    assert ranks(entries) == (2, 1, 2, None, 4, 1, 1, 1, 1, 1, 2, 1)


def test_bars_stand_on_one_scale() -> None:
    regret = boards.entry("c", 5.0, statistic="regret_top1")
    entries = [boards.entry("a", 0.8), boards.entry("b", -0.3, width=0.25), regret]
    made, ticks = rows(entries, anchors(entries), ())
    first, second, third = (next(c for c in row.cells if c.column == "value").bar for row in made)
    assert ticks[0][1] == "−0.6"  # the first fifth below -0.55; a regret has another unit
    assert first is not None
    assert second is not None
    assert third is None
    scale = [100 * (value + 0.6) / 1.6 for value in (0.0, 0.8, 0.75, -0.3, -0.55)]
    assert [first.zero, first.value, first.low, second.value, second.low] == pytest.approx(scale)
    assert second.zero == first.zero


def test_names_tell_rows_apart() -> None:
    alike = [boards.entry("snip", 0.5), boards.entry("synflow", 0.5)]
    assert cell(alike, "population") == ["300 of all", "300 of all"]
    other = replace(alike[1], architectures=replace(alike[1].architectures, digest="beef" * 4))
    assert cell([alike[0], other], "population")[1] == "300 of all (beefbe)"
    digests = sorted(e.architectures.digest for e in (alike[0], other))
    assert filters([alike[0], other])[2].options == tuple((f"all-{d}", f"300 of all ({d[:6]})") for d in digests)
    two = [alike[0], boards.entry("snip", 0.6, source="naslib")]
    target = [next(c.interval for c in row.cells if c.column == "target") for row in rows(two, anchors(two), ())[0]]
    assert target == ["robot, test", "naslib, test"]


def test_recipes_are_said_where_there_are_several() -> None:
    first = boards.entry("snip", 0.5)

    def badges(**changes: object) -> list[str]:
        entries = [first, replace(first, recipe=replace(first.recipe, digest="ab" * 8, **changes))]  # type: ignore[arg-type]
        return [row.badges[1].text for row in rows(entries, anchors(entries), ())[0]]

    assert [badge.text for badge in rows([first], anchors([first]), ())[0][0].badges] == ["v1"]
    usual = "digits, batch 32, pytorch@1, 2 seeds"
    assert badges(batch_size=64) == [usual, "digits, batch 64, pytorch@1, 2 seeds"]
    assert badges() == [f"{usual} (ffffff)", f"{usual} (ababab)"]


def test_confirmations_leave_links_alone_and_sides_have_details_of_their_own() -> None:
    alone = boards.entry("snip", 0.5)
    confirmed = replace(alone, submissions=(*alone.submissions, boards.submission("grace")))
    assert anchors([alone]) == anchors([confirmed])
    board = boards.small()
    sides = [anchor for e, anchor in zip(board.entries, anchors(board.entries), strict=True) if e.disagreements]
    assert len(set(sides)) == 2
    together = [e for e in board.entries if (e.truth.target, e.metric.name) == ("cifar100", "snip")]
    assert len(together) == len(boards.STATISTICS)
    assert len(set(anchors(together))) == 1


def test_what_is_chosen_at_first() -> None:
    assert [f.default for f in filters(boards.small().entries)] == ["", "", "", "all", "spearman"]
    assert [f.default for f in filters([boards.entry(statistic="kendall")])] == ["", "", "", "", ""]


def test_a_board_without_results() -> None:
    assert "There is no result yet." in page(Board((), (), 0), "Nothing")


def test_the_same_board_gives_the_same_bytes() -> None:
    assert page(boards.small(), "Leaderboard") == HTML
