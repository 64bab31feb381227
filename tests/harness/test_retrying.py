"""What is left of a run: every candidate is handed out once, and a death is held against nobody but its cause."""

import random

import pytest

from zcbench.harness.executors.retrying import DEATHS, LOSSES, Chunk, Work


def drained(work: Work, workers: int = 2) -> list[Chunk]:
    chunks = []
    while chunk := work.take(workers):
        chunks.append(chunk)
    return chunks


@pytest.mark.parametrize(("candidates", "chunk", "workers"), [(0, 8, 2), (1, 8, 2), (7, 1, 3), (40, 8, 2), (9, 100, 4)])
def test_every_candidate_is_handed_out_once_and_in_order(candidates: int, chunk: int, workers: int) -> None:
    chunks = drained(Work(candidates, chunk=chunk), workers)
    assert [n for one in chunks for n in one] == list(range(candidates))
    assert all(len(one) <= chunk for one in chunks)


def test_chunks_get_smaller_towards_the_end() -> None:
    sizes = [len(chunk) for chunk in drained(Work(40, chunk=8))]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (8, 1)


def test_after_a_death_the_candidates_of_the_chunk_go_one_by_one_before_the_others() -> None:
    work = Work(20, chunk=4)
    first = work.take(1)
    assert work.died(first, alone=True) == ()
    assert [work.take(1) for _ in range(5)] == [(0,), (1,), (2,), (3,), (4, 5, 6, 7)]


def test_what_ends_two_workers_alone_has_failed_and_its_neighbours_have_not() -> None:
    work = Work(4, chunk=4)
    chunk = work.take(1)
    failed = list(work.died(chunk, alone=True))
    scored = []
    for _ in range(20):
        if not (chunk := work.take(1)):
            break
        if 2 in chunk:
            failed += work.died(chunk, alone=True)
        else:
            scored += chunk
    assert (failed, sorted(scored)) == ([2], [0, 1, 3])
    assert DEATHS == 2


def test_a_lost_machine_is_held_against_nobody_unless_it_happens_again_and_again() -> None:
    work = Work(3, chunk=3)
    chunk = work.take(1)
    lost = 0
    while not work.died(chunk):
        lost += 1
        chunk = work.take(1)
        assert lost < 50
    assert lost > LOSSES
    assert len(chunk) == 1


def test_the_death_of_a_worker_without_work_is_nobodys() -> None:
    work = Work(2, chunk=2)
    assert work.died((), alone=True) == ()
    assert drained(work, 1) == [(0,), (1,)]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_dies_every_candidate_ends_once(seed: int) -> None:
    draw = random.Random(seed)
    deadly = set(draw.sample(range(50), 4))
    work, under_way, scored, failed = Work(50, chunk=8), list[Chunk](), [], []
    for _ in range(10_000):
        if draw.random() < 0.5 and len(under_way) < 3 and (chunk := work.take(3)):
            under_way.append(chunk)
        elif under_way:
            chunk = under_way.pop(draw.randrange(len(under_way)))
            if deadly & set(chunk):
                failed += work.died(chunk, alone=True)
            elif draw.random() < 0.02:
                assert work.died(chunk) == ()
            else:
                scored += chunk
        elif not work.left:
            break
    assert sorted(failed) == sorted(deadly)
    assert sorted(scored) == sorted(set(range(50)) - deadly)
