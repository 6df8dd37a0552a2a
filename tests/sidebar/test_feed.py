"""One socket tells a page what happens at every instance."""

from dataclasses import replace

import msgspec

from tests.sidebar.fake_instance import FakeInstance, sample
from tests.sidebar.waiting import eventually
from workbench import __version__
from workbench.sidebar import control, watch
from workbench.sidebar.messages import InstancesMessage, ProblemKind
from workbench.spec.events import HistoryEvent, SampleEvent, StatusEvent
from workbench.spec.status import ServeStatus


async def test_a_page_hears_at_once_that_nothing_runs(open_page):
    page = await open_page()

    assert await page.next() == InstancesMessage(
        instances=(), server_version=__version__
    )


async def test_a_page_is_told_list_status_history_and_samples(
    instance, announce, open_page
):
    announce(instance)
    page = await open_page()

    (listed,) = await page.listing()
    status = await page.event(StatusEvent)
    history = await page.event(HistoryEvent)
    instance.say(SampleEvent(sample=sample(3.0, replicas=2)))
    now = await page.event(SampleEvent)

    assert (listed.id, listed.is_remote) == ("i1", False)
    assert status.status.instance.id == "i1"
    assert [each.at_s for each in history.samples] == [1.0, 2.0]
    assert len(now.sample.replicas) == 2


async def test_the_list_names_the_version_once_it_is_known(
    instance, announce, open_page
):
    announce(instance)
    page = await open_page()

    (listed,) = await page.listing(lambda found: found[0].version)

    assert (listed.version, listed.problem) == (__version__, None)


async def test_all_pages_share_one_stream_that_ends_with_the_last(
    instance, announce, open_page
):
    announce(instance)
    pages = [await open_page() for _ in range(3)]
    for page in pages:
        await page.event(HistoryEvent)

    instance.say(SampleEvent(sample=sample(3.0)))
    heard = [await page.event(SampleEvent) for page in pages]

    assert [event.sample.at_s for event in heard] == [3.0] * 3
    assert instance.opened == 1
    for page in pages[:2]:
        page.close()
    instance.say(SampleEvent(sample=sample(4.0)))
    assert (await pages[2].event(SampleEvent)).sample.at_s == 4.0
    pages[2].close()
    await eventually(lambda: instance.streams == 0)


async def test_a_page_that_comes_later_is_told_what_the_others_know(
    instance, announce, open_page
):
    announce(instance)
    first = await open_page()
    await first.event(HistoryEvent)
    instance.say(SampleEvent(sample=sample(3.0, 1)), SampleEvent(sample=sample(4.0, 1)))
    await first.event(SampleEvent)
    await first.event(SampleEvent)

    later = await open_page()
    told = [await later.next() for _ in range(4)]

    listed, status, history, latest = told
    assert listed.instances[0].version == __version__
    assert status.event.status.instance.id == "i1"
    assert [each.at_s for each in history.event.samples] == [1.0, 2.0, 3.0]
    assert [len(each.replicas) for each in history.event.samples] == [0, 0, 0]
    assert latest.event.sample == sample(4.0, replicas=1)
    assert instance.opened == 1


async def test_a_page_that_was_away_begins_anew(instance, announce, open_page):
    announce(instance)
    page = await open_page()
    await page.event(HistoryEvent)
    page.close()
    await eventually(lambda: instance.streams == 0)

    again = await open_page()

    assert (await again.event(StatusEvent)).status.instance.id == "i1"
    assert instance.opened == 2


async def test_instances_appear_and_leave_while_a_page_looks_on(
    instance, announce, open_page, jp_runtime_dir
):
    page = await open_page()
    assert await page.listing() == ()

    file = announce(instance)
    appeared = await page.listing()
    await page.event(StatusEvent)
    file.remove(jp_runtime_dir)
    left = await page.listing(lambda found: not found)

    assert ([each.id for each in appeared], left) == (["i1"], ())
    await eventually(lambda: instance.streams == 0)


async def test_each_instance_speaks_for_itself(instance, announce, open_page):
    with FakeInstance("i2") as other:
        announce(instance)
        announce(other)
        page = await open_page()
        await page.event(HistoryEvent)
        await page.event(HistoryEvent)

        other.say(SampleEvent(sample=sample(8.0)))
        message = await page.until(
            lambda each: isinstance(getattr(each, "event", None), SampleEvent)
        )

        assert (message.instance, message.event.sample.at_s) == ("i2", 8.0)


async def test_an_instance_whose_controller_is_away_says_so_and_comes_back(
    instance, announce, open_page
):
    announce(instance)
    page = await open_page()
    await page.event(HistoryEvent)

    instance.go()
    problem = await page.problem(ProblemKind.CONTROLLER_AWAY)
    instance.come()
    (back,) = await page.listing(lambda found: found[0].problem is None)

    assert "restarted by itself" in problem.remedy
    assert back.version == __version__
    assert (await page.event(StatusEvent)).status.instance.id == "i1"


async def test_an_instance_that_hangs_is_a_problem_too(
    instance, announce, open_page, monkeypatch
):
    monkeypatch.setattr(control, "_SILENCE_S", 0.2)
    monkeypatch.setattr(watch, "_GRACE_S", 0.1)
    announce(instance)
    page = await open_page()

    await page.event(HistoryEvent)

    await page.problem(ProblemKind.CONTROLLER_AWAY)


async def test_an_outage_of_ray_is_named_from_beginning_to_end(
    instance, announce, open_page, jp_runtime_dir
):
    file = announce(instance)
    page = await open_page()
    await page.event(HistoryEvent)

    # As the launcher does: it names the outage in the file, and all of it starts anew.
    why = "Ray's raylet, and with it this node, was ended by SIGKILL"
    replace(file, trouble=why).write(jp_runtime_dir)
    instance.go()
    problem = await page.problem(ProblemKind.RESTARTING)
    instance.come()
    file.write(jp_runtime_dir)
    await page.listing(lambda found: found[0].problem is None)

    assert problem.sentence.startswith(f"{why}.")
    assert "started again by itself" in problem.remedy
    assert (await page.event(StatusEvent)).status.instance.id == "i1"


async def test_a_page_that_opens_during_an_outage_is_told_of_it(
    instance, announce, open_page, jp_runtime_dir
):
    file = announce(instance)
    instance.go()
    replace(file, trouble="Ray's GCS was ended by SIGKILL").write(jp_runtime_dir)

    page = await open_page()

    problem = await page.problem(ProblemKind.RESTARTING)
    assert "Ray's GCS was ended by SIGKILL" in problem.sentence


async def test_a_short_absence_is_not_worth_a_word(
    instance, announce, open_page, monkeypatch
):
    monkeypatch.setattr(watch, "_GRACE_S", 60.0)
    announce(instance)
    page = await open_page()
    await page.event(HistoryEvent)

    instance.go()
    instance.come()
    await page.event(StatusEvent)

    lists = [each for each in page.read if isinstance(each, InstancesMessage)]
    assert [each.problem for one in lists for each in one.instances] == [None] * 2


async def test_a_token_that_is_refused_is_a_problem_of_its_own(
    instance, announce, open_page
):
    announce(instance, token="another")
    page = await open_page()

    problem = await page.problem(ProblemKind.WRONG_TOKEN)

    assert "refuses the token" in problem.sentence
    assert problem.remedy


async def test_an_instance_whose_file_changes_is_reached_anew(
    instance, announce, open_page
):
    announce(instance, token="another")
    page = await open_page()
    await page.problem(ProblemKind.WRONG_TOKEN)

    announce(instance)

    assert (await page.event(StatusEvent)).status.instance.id == "i1"


async def test_another_version_is_named_and_shown_all_the_same(announce, open_page):
    with FakeInstance(version="9.9.9") as newer:
        announce(newer)
        page = await open_page()

        problem = await page.problem(ProblemKind.VERSION_MISMATCH)
        status = await page.event(StatusEvent)

    assert "9.9.9" in problem.sentence
    assert "serve-workbench==9.9.9" in problem.remedy
    assert status.status.instance.version == "9.9.9"


async def test_what_cannot_be_read_is_a_problem_not_the_end_of_the_feed(
    instance, announce, open_page
):
    announce(instance)
    page = await open_page()
    await page.event(HistoryEvent)

    instance.say(b'{"kind":"sample","sample":{"at_s":"noon"}}')
    problem = await page.problem(ProblemKind.UNREACHABLE)
    await page.listing(lambda found: found[0].problem is None)

    assert "cannot be read" in problem.sentence


async def test_fields_of_a_later_version_reach_the_page(
    instance, announce, jp_ws_fetch
):
    announce(instance)
    socket = await jp_ws_fetch("workbench", "feed")
    await socket.read_message()
    await eventually(lambda: instance.streams == 1)

    instance.say(b'{"kind":"sample","sample":{"at_s":1.0,"mood":"good"}}')
    while "mood" not in (text := await socket.read_message()):
        pass

    assert '"mood":"good"' in text
    socket.close()


async def test_a_page_that_reads_nothing_holds_up_nobody(
    instance, announce, open_page, jp_serverapp
):
    announce(instance)
    slow, quick = await open_page(), await open_page()
    await slow.event(HistoryEvent)
    await quick.event(HistoryEvent)
    # The socket's own buffers take some; what they do not take waits in the queue.
    big = [SampleEvent(sample=sample(float(n), replicas=3000)) for n in range(60)]
    for event in big:
        instance.say(event)
        assert (await quick.event(SampleEvent)).sample.at_s == event.sample.at_s
    instance.say(StatusEvent(status=ServeStatus(target_capacity=7.0)))

    pages = jp_serverapp.web_app.settings["workbench_desk"].feed._pages
    assert max(len(page) for page in pages) <= 9
    status = await slow.until(
        lambda each: isinstance(getattr(each, "event", None), StatusEvent)
    )
    assert status.event.status.target_capacity == 7.0
    heard = [getattr(each, "event", None) for each in slow.read]
    assert sum(isinstance(each, SampleEvent) for each in heard) < len(big)


async def test_the_token_of_an_instance_never_reaches_a_page(
    instance, announce, jp_ws_fetch
):
    announce(instance)
    socket = await jp_ws_fetch("workbench", "feed")

    texts = [await socket.read_message() for _ in range(4)]

    assert '"history"' in "".join(texts)
    assert instance.token not in "".join(texts)
    assert msgspec.json.decode(texts[0])["kind"] == "instances"
    socket.close()
