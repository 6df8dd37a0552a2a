"""One socket tells a page what happens at every instance."""

from tests.sidebar.fake_instance import sample
from workbench import __version__
from workbench.sidebar.messages import InstancesMessage
from workbench.spec.events import HistoryEvent, SampleEvent, StatusEvent


async def test_a_page_hears_of_no_instance_at_once(open_page):
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
