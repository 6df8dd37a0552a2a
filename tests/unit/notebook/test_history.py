"""The last minutes of samples."""

from tests.unit.notebook.fake_source import sample, status_event
from workbench.notebook.history import History, sample_of, status_of


def test_it_keeps_five_minutes():
    history = History([sample(0), sample(1)])

    history.push(sample(300.5))

    assert [one.at_s for one in history.samples] == [1, 300.5]


def test_a_sample_seen_live_is_not_replaced_by_one_of_the_past():
    """Only live ones know the replicas."""
    history = History([sample(2, "default")])

    history.merge([sample(at, "default", has_replicas=False) for at in (1, 2, 3)])

    assert [len(one.replicas) for one in history.samples] == [0, 1, 0]


def test_a_sample_is_reduced_to_one_application():
    reduced = sample_of("a", sample(1, "a", "ab"))

    assert list(reduced.applications) == ["a"]
    assert list(reduced.deployments) == ["a#Doubler"]
    assert list(reduced.replicas) == ["r-a"]


def test_a_status_keeps_only_the_names_of_other_applications():
    reduced = status_of("a", status_event("a", "b").status)

    assert reduced.applications["a"].deployments
    assert not reduced.applications["b"].deployments
