"""What was deployed is remembered, within bounds, and found again."""

from dataclasses import replace

import msgspec
import pytest

from tests.unit.controller.world import make_request, make_spec
from workbench.controller.history import History, Record, version_of
from workbench.errors import UnknownVersionError
from workbench.spec.gate import Gate
from workbench.spec.versions import Outcome


def app(code="c1", **options):
    return make_request(make_spec(code=code, **options)).application


def lived(*codes, **bounds):
    """A history in which these versions were live one after another."""
    history = History(**bounds)
    for now, code in enumerate(codes):
        history = history.begin(make_request(make_spec(code=code)), float(now))
        history = history.end("default", Outcome.LIVE)
    return history


def outcomes(history):
    return [each.outcome for each in history.applications["default"]]


def test_equal_content_is_one_version_whoever_deploys_it():
    first, again = lived("c1", "c1").applications["default"]

    assert (first.number, again.number) == (1, 2)
    assert first.version == again.version == version_of(app())


def test_the_number_of_replicas_makes_no_version():
    assert version_of(app(num_replicas=3)) == version_of(app())
    assert version_of(app(config="o2")) != version_of(app())


def test_a_deploy_that_another_overtakes_is_replaced():
    history = History().begin(make_request(make_spec(code="c1")), 0.0)
    history = history.begin(make_request(make_spec(code="c2")), 1.0)

    assert outcomes(history) == [Outcome.REPLACED, Outcome.DEPLOYING]


def test_what_has_ended_does_not_end_again():
    history = lived("c1").end("default", Outcome.FAILED, "why")

    assert outcomes(history) == [Outcome.LIVE]


def test_the_previous_version_is_the_last_other_one_that_was_live():
    history = lived("c1", "c2").begin(make_request(make_spec(code="bad")), 3.0)
    history = history.end("default", Outcome.FAILED, "why")
    history = history.begin(make_request(make_spec(code="c3")), 4.0)
    history = history.end("default", Outcome.LIVE)

    assert history.previous("default", app("c3")).number == 2


def test_the_previous_version_of_what_failed_is_before_what_serves_instead():
    history = lived("c1", "c2").begin(make_request(make_spec(code="bad")), 3.0)
    history = history.end("default", Outcome.REVERTED, "why")

    assert history.previous("default", app("c2")).number == 1


def test_rolling_back_twice_comes_back():
    history = lived("c1", "c2", "c1")

    assert history.previous("default", app("c1")).number == 2


def test_the_first_version_has_none_before():
    with pytest.raises(UnknownVersionError, match="No other version of 'default'"):
        lived("c1").previous("default", app("c1"))


@pytest.mark.parametrize("word", ["2", 2, version_of(app("code2")), "code2"])
def test_a_version_is_found_by_number_by_hash_and_as_status_shows_it(word):
    assert lived("code1", "code2", "code3").find("default", word).number == 2


def test_an_unknown_version_says_which_there_are():
    with pytest.raises(UnknownVersionError, match="no version 7") as caught:
        lived("c1").find("default", 7)

    assert f"1 ({version_of(app())})" in caught.value.hint


def test_code_is_kept_of_the_last_versions_and_records_of_more():
    history = lived("c1", "c2", "c3", most_kept=2)

    kept = [each.is_kept for each in history.applications["default"]]
    assert kept == [False, True, True]
    assert "blob-c1" not in history.blob_ids()
    with pytest.raises(UnknownVersionError, match="no longer kept"):
        history.find("default", 1)


def test_deploying_one_version_again_and_again_pushes_no_other_out():
    history = lived("c1", *["c2"] * 30, most_kept=2)

    assert history.find("default", 1).version == version_of(app("c1"))


def test_records_are_bounded():
    records = lived(*map(str, range(60))).applications["default"]

    assert (len(records), records[-1].number) == (50, 60)


def test_code_is_bounded_in_bytes_and_the_oldest_goes_first():
    history = lived("c1", "c2", "c3", most_bytes=25)

    bounded = history.bounded(lambda blob_id: 10 if "blob" in blob_id else 1)

    kept = [each.is_kept for each in bounded.applications["default"]]
    assert kept == [False, True, True]


def test_what_runs_now_is_marked():
    records = lived("c1", "c2").list("default", app("c1")).records

    assert [(each.number, each.is_current) for each in records] == [
        (2, False),
        (1, True),
    ]


def test_a_deleted_application_leaves_nothing():
    assert lived("c1").forget("default") == History()


def test_records_are_stored_without_blobs_and_read_again():
    request = replace(make_request(make_spec()), blobs={"blob-c1": b"large"})
    records = History().begin(request, 0.0).applications["default"]

    data = msgspec.msgpack.encode(records)

    assert b"large" not in data
    assert msgspec.msgpack.decode(data, type=tuple[Record, ...]) == records


def test_the_functions_of_a_gate_are_kept_with_their_version():
    request = replace(make_request(make_spec()), gate=Gate(checks="blob-checks"))

    history = History().begin(request, 0.0)

    assert "blob-checks" in history.blob_ids()
