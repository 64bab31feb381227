"""The leaderboard in a real browser: sorting, filters, links to views, keyboard, hostile names, no JavaScript."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import boards
import pytest

from zcbench.harness.results.entry import Board, Entry
from zcbench.reports.leaderboard import page
from zcbench.reports.leaderboard_rows import ranks

Visit = Callable[..., Any]
BOARD = boards.small()
HTML = page(BOARD, "Leaderboard")
ANY = "#slice=&statistic="
USUAL = [e for e in BOARD.entries if (e.slice, e.statistic) == ("all", "spearman")]


def shown(view: Any) -> list[str]:
    """Return the keys of the rows that can be seen, from top to bottom."""
    found: list[str] = view.evaluate(
        "[...document.querySelectorAll('#board tbody tr')].filter((row) => row.checkVisibility())"
        ".sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top).map((row) => row.id.slice(4))"
    )
    return found


def keys(entries: list[Entry]) -> list[str]:
    return [entry.key for entry in entries]


def choose(view: Any, **filters: str) -> None:
    for name, value in filters.items():
        view.select_option(f"select[name={name}]", value)


def fragment(view: Any) -> str:
    return "#" + str(view.url).partition("#")[2]


def escape(view: Any) -> None:
    """Close the details; the address follows in an event of its own."""
    view.keyboard.press("Escape")
    view.wait_for_url(lambda url: "entry=" not in url)


def header(view: Any, column: str) -> Any:
    return view.locator(f"th[data-column={column}]")


def test_it_opens_from_disk_at_the_usual_statistic(visit: Visit) -> None:
    view = visit(HTML)
    assert shown(view) == keys(USUAL)
    assert view.title() == "Leaderboard"
    assert view.locator("output").inner_text() == f"{len(USUAL)} of {len(BOARD.entries)} results"
    assert view.locator("[aria-sort]").count() == 0


COLUMNS: dict[str, tuple[Callable[[Entry], Any], bool]] = {
    "metric": (lambda e: e.metric.name, False),
    "benchmark": (lambda e: e.benchmark, False),
    "target": (lambda e: (e.truth.target, e.truth.kind == "surrogate"), False),
    "population": (lambda e: e.architectures.number, False),
    "slice": (lambda e: e.slice, False),
    "statistic": (lambda e: ("kendall", "regret_top1", "spearman").index(e.statistic), False),
    "value": (lambda e: e.estimate.value, True),
    "count": (lambda e: e.estimate.n, True),
    "undefined": (lambda e: e.estimate.n_undefined, True),
    "cost": (lambda e: e.seconds.standalone, False),
    "machines": (lambda e: len(e.submissions), True),
}


def expected(entries: list[Entry], key: Callable[[Entry], Any], *, descending: bool) -> list[str]:
    """Sort by the standard library: stable in both directions, what has no value last."""
    known = [e for e in entries if key(e) == key(e)]
    lost = [e for e in entries if key(e) != key(e)]
    order = sorted(known, key=key)
    if descending:  # reverse=True would keep the order of equal rows too, but so it is said
        order = [e for value in sorted({key(e) for e in known}, reverse=True) for e in known if key(e) == value]
    return keys([*order, *lost])


def test_it_sorts_by_every_column(visit: Visit) -> None:
    view = visit(HTML, ANY)
    entries = list(BOARD.entries)
    assert shown(view) == keys(entries)
    places = dict(zip(keys(entries), ranks(entries), strict=True))
    assert sum(math.isnan(e.estimate.value) for e in entries) == 3
    assert view.locator("thead th").count() == len(COLUMNS) + 1
    by_rank = (lambda e: math.nan if places[e.key] is None else places[e.key], False)
    for column, (key, first) in {"rank": by_rank, **COLUMNS}.items():
        for descending in (first, not first):
            header(view, column).get_by_role("button").click()
            assert shown(view) == expected(entries, key, descending=descending), (column, descending)
            sorted_by = view.locator("th[aria-sort]")
            assert sorted_by.count() == 1
            assert sorted_by.get_attribute("data-column") == column
            assert sorted_by.get_attribute("aria-sort") == ("descending" if descending else "ascending")
    view.get_by_role("button", name="Reset").click()
    assert shown(view) == keys(USUAL)
    assert view.locator("[aria-sort]").count() == 0


def test_it_filters(visit: Visit) -> None:
    view = visit(HTML)
    choose(view, benchmark="nasbench201")
    assert shown(view) == keys([e for e in USUAL if e.benchmark == "nasbench201"])
    choose(view, target="cifar100")
    assert shown(view) == keys([e for e in USUAL if e.truth.target == "cifar100"])
    choose(view, statistic="kendall")
    wanted = [e for e in BOARD.entries if (e.truth.target, e.statistic) == ("cifar100", "kendall")]
    assert len(wanted) == 6
    assert shown(view) == keys(wanted)
    choose(view, slice="top10_truth", statistic="")
    wanted = [e for e in BOARD.entries if (e.truth.target, e.slice) == ("cifar100", "top10_truth")]
    assert shown(view) == keys(wanted)
    sets = {e.benchmark: e.architectures.digest for e in BOARD.entries}
    choose(view, population=f"all-{sets['nasbench301']}")
    assert shown(view) == []
    assert view.get_by_text("No result passes these filters.").is_visible()
    choose(view, target="", benchmark="", slice="")
    assert shown(view) == keys([e for e in BOARD.entries if e.benchmark == "nasbench301"])
    assert not header(view, "population").is_visible(), "what every row shares stands in the filter"


SEARCHES = {
    "swap": {"swap(repeats=32)"},
    "SNIP, zico": {"snip", "zico"},
    "(repeats=32)": {"swap(repeats=32)"},
    ".*": set(),
    "  p ": {"swap(repeats=32)", "snip", "params", "plain"},
}


def test_it_searches(visit: Visit) -> None:
    view = visit(HTML)
    for typed, found in SEARCHES.items():
        view.get_by_role("searchbox").fill(typed)
        assert shown(view) == keys([e for e in USUAL if e.metric.name in found]), typed


def test_a_link_restores_the_view(visit: Visit) -> None:
    view = visit(HTML)
    choose(view, target="cifar10", statistic="kendall", slice="all")
    view.get_by_role("searchbox").press_sequentially("sn, sy")
    header(view, "value").get_by_role("button").click()
    header(view, "value").get_by_role("button").click()
    before, address = shown(view), view.url
    assert len(before) == 4
    again = visit(HTML, fragment(view))
    assert shown(again) == before
    assert again.url == address
    assert again.locator("select[name=target]").input_value() == "cifar10"
    assert again.locator("select[name=statistic]").input_value() == "kendall"
    assert again.get_by_role("searchbox").input_value() == "sn, sy"
    assert header(again, "value").get_attribute("aria-sort") == "ascending"


def test_back_and_forward(visit: Visit) -> None:
    view = visit(HTML)
    choose(view, benchmark="nasbench301")
    view.get_by_role("searchbox").press_sequentially("snip")
    header(view, "cost").get_by_role("button").click()
    steps = [shown(view)]
    for _ in range(3):
        view.go_back()
        steps.append(shown(view))
    alone = [e for e in USUAL if e.benchmark == "nasbench301"]
    snip = keys([e for e in alone if e.metric.name == "snip"])
    assert steps == [snip, snip, keys(alone), keys(USUAL)], "a search is one step back, whatever its length"
    assert view.get_by_role("searchbox").input_value() == ""
    assert view.locator("select[name=benchmark]").input_value() == ""
    view.go_forward()
    view.go_forward()
    assert shown(view) == snip
    assert view.get_by_role("searchbox").input_value() == "snip"


def test_what_a_link_says_wrongly_is_ignored(visit: Visit) -> None:
    wrong = "benchmark=nope&target=cifar10&sort=__proto__&order=sideways&entry=%22%5D&row=none&constructor=1&%"
    view = visit(HTML, f"#{wrong}")
    assert shown(view) == keys([e for e in USUAL if e.truth.target == "cifar10"])
    assert view.locator("[aria-sort]").count() == 0
    assert not view.get_by_role("dialog").is_visible()


def test_the_keyboard_is_enough(visit: Visit) -> None:
    view = visit(HTML)
    header(view, "value").get_by_role("button").focus()
    view.keyboard.press("Enter")
    best = sorted(USUAL, key=lambda e: -e.estimate.value)
    assert shown(view) == keys(best)
    view.keyboard.press("Space")
    assert shown(view) == keys(best[::-1])
    view.keyboard.press("Shift+Tab")
    assert view.evaluate("document.activeElement.closest('th').dataset.column") == "population"
    link = view.locator("tr:not([hidden]) th a").first
    link.focus()
    view.keyboard.press("Enter")
    assert view.get_by_role("dialog").is_visible()
    assert "entry=" in view.url
    escape(view)
    assert not view.get_by_role("dialog").is_visible()
    assert link.evaluate("(element) => element === document.activeElement")
    view.locator("select[name=benchmark]").focus()
    view.keyboard.press("ArrowDown")
    assert view.locator("select[name=benchmark]").input_value() == "nasbench201"
    assert len(shown(view)) == sum(e.benchmark == "nasbench201" for e in USUAL)


def test_details_are_folded_until_they_are_asked_for(visit: Visit) -> None:
    view = visit(HTML)
    assert not view.get_by_text("Lee et al. 2019").first.is_visible()
    view.locator("tr:not([hidden]) th a", has_text="snip").first.click()
    said = view.get_by_role("dialog").inner_text()
    for text in ("Lee et al. 2019", "digits, train, batch 32", "200 epochs", "ada: Xeon", "grace: Xeon", "50.00 ms",
                 "torch 2.13.0", "300 of the population all", "not the first one's scores bit for bit"):  # fmt: skip
        assert text in said
    view = visit(HTML, fragment(view))
    assert view.get_by_role("dialog").inner_text() == said
    escape(view)
    view.go_back()
    assert view.get_by_role("dialog").is_visible()


def test_a_link_to_one_result(visit: Visit) -> None:
    (wanted,) = [
        e for e in BOARD.entries if (e.metric.name, e.truth.target, e.statistic) == ("zico", "cifar100", "kendall")
    ]
    view = visit(HTML, f"#row={wanted.key}")
    alike = [e for e in BOARD.entries if (e.truth.target, e.statistic) == ("cifar100", "kendall")]
    assert shown(view) == keys(alike)
    assert view.locator("tr.linked").get_attribute("id") == f"row={wanted.key}"
    view.locator(f"[id='row={alike[0].key}'] .rank a").click()
    view.wait_for_url(lambda url: url.endswith(f"#row={alike[0].key}"))  # it is told of the address after the click
    assert view.locator("tr.linked").get_attribute("id") == f"row={alike[0].key}"


def test_disagreements_stand_first_with_both_sides(visit: Visit) -> None:
    view = visit(HTML)
    warning = view.get_by_role("region", name="Results disagree")
    said = warning.inner_text()
    for text in ("zico v1 on nasbench201, imagenet16", "0.4100", "0.5500", "ada", "linus", "torch: 2.13.0 / 2.6.0"):
        assert text in said
    assert warning.bounding_box()["y"] < view.locator("#board").bounding_box()["y"]
    view.get_by_label("only where results disagree").check()
    disputed = [e for e in USUAL if e.disagreements]
    assert len(disputed) == 2
    assert shown(view) == keys(disputed)
    assert view.locator("#board").get_by_text("disputed", exact=True).locator("visible=true").count() == 2
    view = visit(HTML, fragment(view))
    assert shown(view) == keys(disputed)
    view.get_by_role("region", name="Results disagree").get_by_role("link", name="details").nth(1).click()
    assert "linus: Xeon" in view.get_by_role("dialog").inner_text()


HOSTILE = [
    "</script><img src=x onerror=alert(1)>", "\"><svg onload=alert(2)>", "' onmouseover='alert(3)", "{{ 7*7 }}${7*7}",
    "<!--<script>alert(4)</script>", "a&b=c#d%20e", "javascript:alert(5)", "__proto__",
]  # fmt: skip


def test_hostile_names_do_nothing(visit: Visit) -> None:
    entries = [
        replace(boards.entry(name, 0.5, benchmark=name, target=name, population=name, statistic=name, slice_=name,
                             cite=name, submissions=(boards.submission(name, file=name),)), space=name)
        for name in HOSTILE
    ]  # fmt: skip
    hostile = page(replace(boards.small(), entries=tuple(entries), notes=tuple(HOSTILE)), HOSTILE[0])
    view = visit(hostile)
    assert view.title() == HOSTILE[0]
    elements = "[document.scripts, document.images, document.querySelectorAll('svg')].map((found) => found.length)"
    assert view.evaluate(elements) == [1, 0, 0]
    assert view.locator("tbody th a").all_text_contents() == HOSTILE
    addresses = []
    for name, entry in zip(HOSTILE, entries, strict=True):
        choose(view, target=name, statistic=name)
        assert shown(view) == [entry.key]
        addresses.append(fragment(view))
    view.get_by_role("button", name="Reset").click()
    for address, entry in zip(addresses, entries, strict=True):
        view.evaluate("(address) => { location.hash = address; }", address)
        view.wait_for_function("document.querySelectorAll('#board tbody tr:not([hidden])').length === 1")
        assert shown(view) == [entry.key]
    view.locator("tr:not([hidden]) th a").first.click()
    assert HOSTILE[-1] in view.get_by_role("dialog").inner_text()
    searched = visit(hostile, "#q=" + quote(HOSTILE[0]))
    assert searched.get_by_role("searchbox").input_value() == HOSTILE[0]


def test_a_script_that_got_in_would_not_run(browser: Any, tmp_path: Any) -> None:
    """The policy in the page's head allows one script; the complaint about the other one is wanted here."""
    path = tmp_path / "page.html"
    path.write_text(HTML.replace("<main>", "<main><script>window.run = 1</script><img src=x onerror='window.run = 2'>"))
    view = browser.new_page()
    refused: list[str] = []
    view.on("console", lambda message: refused.append(message.text))
    view.goto(path.as_uri())
    assert view.evaluate("window.run") is None
    assert len(refused) >= 2
    assert shown(view) == keys(USUAL), "the page's own script runs all the same"
    view.close()


def test_without_javascript_everything_is_there(visit: Visit) -> None:
    view = visit(HTML, javascript=False)
    rows = view.locator("#board tbody tr")
    assert rows.count() == len(BOARD.entries)
    assert all(rows.nth(i).is_visible() for i in range(0, len(BOARD.entries), 7))
    assert not view.get_by_role("searchbox").is_visible()
    assert view.get_by_role("button").count() == 0
    first = BOARD.entries[0]
    text = rows.first.inner_text()
    assert first.metric.name in text
    assert f"{first.estimate.value:.3f}" in text
    rows.first.locator("th a").click()
    assert view.locator("details[open]").count() == 1
    assert "digits, train, batch 32" in view.locator("details[open]").inner_text()


def test_light_and_dark(visit: Visit) -> None:
    bright = {}
    for scheme in ("light", "dark"):
        view = visit(HTML, scheme=scheme)
        for part in ("backgroundColor", "color"):
            colour = view.evaluate(f"getComputedStyle(document.body).{part}").strip("rgb()").split(",")
            bright[scheme, part] = statistics.fmean(int(channel) for channel in colour) / 255
    assert bright["light", "backgroundColor"] > 0.9
    assert bright["light", "color"] < 0.2
    assert bright["dark", "backgroundColor"] < 0.15
    assert bright["dark", "color"] > 0.8


@pytest.mark.parametrize("width", [400, 1400])
def test_bars_have_one_zero_and_one_scale(visit: Visit, width: int) -> None:
    view = visit(HTML, ANY, width=width)
    assert view.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out"
    found = view.evaluate(
        "[...document.querySelectorAll('#board tbody tr')].map((row) => {"
        " row.scrollIntoView();"  # a row out of sight is not laid out
        " const [bar, whisker] = ['.bar', '.whisker'].map((c) => row.querySelector(c)?.getBoundingClientRect());"
        " return bar && whisker && [bar.left, bar.width, whisker.left, whisker.right]; })"
    )
    drawn = [(e.estimate, box) for e, box in zip(BOARD.entries, found, strict=True) if box]
    with_value = [e for e in BOARD.entries if not math.isnan(e.estimate.value)]
    assert len(drawn) == sum(e.statistic != "regret_top1" for e in with_value)
    left, size = drawn[0][1][:2]
    low = -0.6  # the lowest end of an interval is -0.54
    for estimate, (x, w, start, end) in drawn:
        assert (x, w) == pytest.approx((left, size), abs=0.6)
        at = [left + size * (value - low) / (1 - low) for value in (estimate.low, estimate.high)]
        assert (start, end) == pytest.approx(at, abs=1.5)


def test_print_shows_what_passes_the_filters(visit: Visit) -> None:
    view = visit(HTML, width=1030)
    choose(view, benchmark="nasbench201")
    view.set_viewport_size({"width": 1030, "height": 300})
    view.emulate_media(media="print")
    assert not view.locator("#filters").is_visible()
    assert len(shown(view)) == 14
    table, around = view.locator("#board").bounding_box(), view.locator(".scroll").bounding_box()
    assert around["height"] >= table["height"], "nothing is cut off by scrolling"
    assert table["x"] + table["width"] <= 1030
    assert header(view, "benchmark").is_visible(), "the filter is not on the paper, so the column is"


def test_it_still_is_a_table_for_a_screen_reader(visit: Visit) -> None:
    """Rows are flex boxes; the roles of the elements must survive that."""
    view = visit(HTML)
    tree = view.context.new_cdp_session(view).send("Accessibility.getFullAXTree")
    roles = [node["role"]["value"] for node in tree["nodes"] if not node["ignored"]]
    assert roles.count("table") == 1
    assert roles.count("row") == 1 + len(USUAL)
    assert roles.count("rowheader") == len(USUAL)
    assert roles.count("columnheader") == len(COLUMNS) + 1 - 2
    assert roles.count("cell") == len(USUAL) * (len(COLUMNS) - 2)


def test_an_empty_board(visit: Visit) -> None:
    view = visit(page(Board((), (), 0), "Nothing yet"))
    assert shown(view) == []
    assert view.get_by_text("There is no result yet.").is_visible()


@pytest.mark.bench
def test_five_thousand_rows(visit: Visit) -> None:
    begin = time.perf_counter()
    html = page(boards.large(5000), "Large")
    made = time.perf_counter() - begin
    begin = time.perf_counter()
    view = visit(html, ANY)
    opened = time.perf_counter() - begin
    timed = (
        "(act) => { const begin = performance.now(); act(); document.body.offsetHeight;"
        " return performance.now() - begin; }"
    )
    choose_ = "{ const s = document.forms.filters[name]; s.value = value; s.dispatchEvent(new Event('change')); }"
    choices = [["slice", "all"], ["benchmark", "nasbench201"], ["benchmark", ""], ["target", "svhn"], ["target", ""]]
    filters = [view.evaluate(f"([name, value]) => ({timed})(() => {choose_})", pair) for pair in choices]
    press = "document.querySelector(`[data-column=${name}] button`).click()"
    sorts = [view.evaluate(f"(name) => ({timed})(() => {press})", n) for n in ("value", "value", "metric", "cost")]
    print(
        f"\n5,000 rows: {len(html) / 1e6:.1f} MB made in {made:.2f} s, opened in {opened:.2f} s; median of a filter "
        f"{statistics.median(filters):.0f} ms (most {max(filters):.0f}), of sorting {statistics.median(sorts):.0f} ms "
        f"(most {max(sorts):.0f}), layout included"
    )
