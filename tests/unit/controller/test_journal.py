"""What replicas said is kept in order, bounded, and found again."""

import asyncio

import pytest

from workbench.controller.journal import Journal
from workbench.controller.logs import Logs
from workbench.spec.logs import LogQuery
from workbench.wire.messages import Line, Said


def said(*texts, app="app", deployment="Model", replica="r1", dropped=0, **fields):
    given = {"level": "INFO", "source": "stdout", "request_id": "", **fields}
    lines = [Line(1.0, text=text, **given) for text in texts]
    return Said(app, deployment, replica, lines, dropped)


def journal_of(*messages):
    journal = Journal(now_s=1000.0)
    for each in messages:
        journal.add(each, now_s=1000.0)
    return journal


def texts(page):
    return [each.text for each in page.records]


def test_records_come_in_the_order_in_which_they_were_told():
    journal = journal_of(
        said("a", deployment="A"), said("b", deployment="B"), said("c", deployment="A")
    )

    page = journal.read(LogQuery())

    assert texts(page) == ["a", "b", "c"]
    seqs = [each.seq for each in page.records]
    assert seqs == sorted(set(seqs))
    assert page.next == seqs[-1]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (LogQuery(app="shop"), ["Sold"]),
        (LogQuery(deployment="Other"), ["other"]),
        (LogQuery(replica="r2"), ["second"]),
        (LogQuery(request_id="q1"), ["Sold"]),
        (LogQuery(level="WARNING"), ["second", "other"]),
        (LogQuery(level="ERROR"), ["other"]),
        (LogQuery(contains="SOLD"), ["Sold"]),
        (LogQuery(app="shop", level="ERROR"), []),
        (LogQuery(app="nowhere"), []),
    ],
)
def test_each_filter_lets_only_its_own_pass(query, found):
    journal = journal_of(
        said("first"),
        said("Sold", app="shop", request_id="q1"),
        said("second", replica="r2", level="WARNING"),
        said("other", deployment="Other", level="ERROR"),
    )

    assert texts(journal.read(query)) == found


def test_without_after_the_newest_are_given_with_it_the_oldest():
    journal = journal_of(said(*"abcdef"))
    start = journal.last - 6

    assert texts(journal.read(LogQuery(limit=2))) == ["e", "f"]
    page = journal.read(LogQuery(after=start, limit=4))
    assert texts(page) == ["a", "b", "c", "d"]
    rest = journal.read(LogQuery(after=page.next, limit=4))
    assert texts(rest) == ["e", "f"]
    assert texts(journal.read(LogQuery(after=rest.next))) == []


def test_a_page_without_records_still_goes_on():
    journal = journal_of(said("a"))

    page = journal.read(LogQuery(contains="b"))

    assert page.next == journal.last


def test_a_restarted_controller_s_records_come_after_all_of_the_one_before():
    before = journal_of(said(*(str(n) for n in range(1000))))
    journal = Journal(now_s=1000.5)
    journal.add(said("new"), now_s=1000.5)

    assert texts(journal.read(LogQuery(after=before.last))) == ["new"]


def test_who_is_ahead_of_us_gets_what_there_is():
    journal = journal_of(said("a"))

    assert texts(journal.read(LogQuery(after=journal.last + 10**9))) == ["a"]


def test_a_chatty_deployment_drives_out_only_its_own():
    journal = journal_of(said("quiet", deployment="Quiet"))
    for n in range(30):
        journal.add(said(*(f"{n}" for _ in range(100))), now_s=1.0)

    kept = journal.read(LogQuery(deployment="Model", limit=5_000)).records
    assert (len(kept), kept[-1].text) == (2_000, "29")
    assert texts(journal.read(LogQuery(deployment="Quiet"))) == ["quiet"]


def test_long_texts_are_bounded_by_their_size():
    journal = journal_of()
    for _ in range(200):
        journal.add(said("x" * 16_000), now_s=1.0)

    kept = journal.read(LogQuery(limit=5_000)).records
    assert sum(len(each.text) for each in kept) <= 1_000_000


def test_all_deployments_together_are_bounded_and_the_oldest_go():
    journal = journal_of()
    for n in range(12):
        journal.add(said(*("x" for _ in range(1_900)), deployment=f"D{n}"), now_s=1.0)

    def count(deployment):
        return len(journal.read(LogQuery(deployment=deployment, limit=5_000)).records)

    assert sum(count(f"D{n}") for n in range(12)) == 20_000
    assert (count("D0"), count("D11")) == (0, 1_900)


def test_lines_that_came_too_fast_are_counted_where_they_are_missing():
    journal = journal_of(said("a"), said("b", dropped=7), said("c"))

    page = journal.read(LogQuery())

    assert page.dropped == 7
    assert texts(page)[2] == "7 more lines came too fast and were not kept."
    assert page.records[2].level == "WARNING"


@pytest.mark.anyio
async def test_who_waits_is_answered_when_something_fits():
    logs = Logs()
    waiting = asyncio.create_task(logs.read(LogQuery(contains="wanted", wait_s=30)))
    await asyncio.sleep(0)
    logs.hear("r1", said("something else"))
    await asyncio.sleep(0)
    logs.hear("r1", said("the wanted line"))

    page = await asyncio.wait_for(waiting, 10)

    assert texts(page) == ["the wanted line"]


@pytest.mark.anyio
async def test_who_waits_in_vain_is_told_where_to_go_on():
    logs = Logs()
    logs.hear("r1", said("a"))
    before = await logs.read(LogQuery())

    page = await logs.read(LogQuery(after=before.next, wait_s=0.01))

    assert (page.records, page.next) == ((), before.next)


@pytest.mark.anyio
async def test_what_a_replica_cannot_say_is_noted_for_it():
    logs = Logs()

    logs.note(("app", "Model"), "r1", "its process died")

    (found,) = (await logs.read(LogQuery(replica="r1"))).records
    assert (found.level, found.source, found.text) == (
        "ERROR",
        "workbench",
        "its process died",
    )


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"level": "loud"}, "one of DEBUG, INFO"),
        ({"limit": 0}, "1 to 5000; got 0"),
        ({"after": -1}, "0 or more; got -1"),
        ({"wait_s": 31}, "0 to 30; got 31"),
    ],
)
def test_a_query_that_cannot_be_says_what_can(values, says):
    with pytest.raises(ValueError, match=says):
        LogQuery(**values)
