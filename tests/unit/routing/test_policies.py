"""Which replica a policy chooses."""

import collections
import sys
import types

import pytest

from workbench.request import Extras
from workbench.routing.admission import Admission
from workbench.routing.policies import (
    ConsistentHash,
    LeastLoaded,
    PowerOfTwoChoices,
    RoundRobin,
    make_policy,
)
from workbench.routing.slots import Slots
from workbench.spec.routing import RoutingSpec


def replicas(**ongoing: int) -> list[Slots]:
    made = []
    for name, count in ongoing.items():
        slots = Slots(name, 4)
        slots.ongoing = count
        made.append(slots)
    return made


def chosen(policy, group, extras=None) -> Slots:
    """What a policy takes, where there is something to take."""
    slots = policy.choose(group, extras)
    assert slots is not None
    return slots


def test_least_loaded_takes_the_one_with_fewest_calls():
    assert chosen(LeastLoaded(), replicas(a=2, b=1, c=3)).replica == "b"


def test_least_loaded_prefers_this_host_as_long_as_there_is_room():
    far, near = Slots("far", 2, is_near=False), Slots("near", 2)
    near.ongoing = 1

    assert LeastLoaded().choose([far, near], None) is near
    near.ongoing = 2
    assert LeastLoaded().choose([far, near], None) is far


def test_power_of_two_takes_the_less_loaded_of_two():
    policy = PowerOfTwoChoices(seed=1)
    winners = collections.Counter(
        chosen(policy, replicas(a=3, b=2, c=1, d=0)).replica for _ in range(600)
    )

    assert winners["d"] > winners["c"] > winners["b"]
    assert winners["a"] == 0


def test_round_robin_takes_one_after_the_other_and_skips_the_full():
    policy, group = RoundRobin(), replicas(a=0, b=4, c=3)

    assert [chosen(policy, group).replica for _ in range(4)] == [*"acac"]


@pytest.mark.parametrize(
    "policy", [LeastLoaded(), PowerOfTwoChoices(), RoundRobin(), ConsistentHash()]
)
def test_no_policy_takes_a_replica_without_room(policy):
    assert policy.choose(replicas(a=4, b=4), Extras(session_id="s")) is None
    assert policy.choose([], None) is None


def test_a_session_goes_to_one_replica_and_few_move_when_one_comes():
    policy = ConsistentHash()
    sessions = [Extras(session_id=str(n)) for n in range(400)]
    four, five = replicas(a=0, b=0, c=0, d=0), replicas(a=0, b=0, c=0, d=0, e=0)

    before = [chosen(policy, four, each).replica for each in sessions]
    again = [chosen(policy, four[::-1], each).replica for each in sessions]
    after = [chosen(policy, five, each).replica for each in sessions]

    assert before == again
    assert min(collections.Counter(before).values()) > 50
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {"e"}
    assert len(moved) < 160


def test_a_full_replica_s_sessions_fall_back_to_the_next_on_the_ring_only():
    session = Extras(session_id="s")
    group = replicas(a=0, b=0, c=0)
    first = chosen(ConsistentHash(), group, session)
    first.ongoing = 4
    second = chosen(ConsistentHash(num_fallback_replicas=1), group, session)

    assert second is not first
    second.ongoing = 4
    assert ConsistentHash(num_fallback_replicas=1).choose(group, session) is None
    assert ConsistentHash(num_fallback_replicas=2).choose(group, session) is not None


def test_calls_for_a_model_go_where_it_is():
    admission: Admission[str] = Admission()
    admission.resize(2, -1)
    slots = {name: admission.add(name) for name in "abc"}
    slots["b"].models = frozenset({"m"})
    model = Extras(model_id="m")

    assert [admission.take(n, model) for n in (1, 2)] == [slots["b"], slots["b"]]
    assert admission.take(3, model) is None
    admission.enqueue(3, "waits for b", extras=model)
    admission.enqueue(4, "goes anywhere")
    assert [call for call, _ in admission.pump()] == ["goes anywhere"]
    admission.lose_patience(3)
    assert [call for call, _ in admission.pump()] == ["waits for b"]


def test_a_model_nobody_has_goes_to_a_replica_with_fewest_models_and_stays_there():
    admission: Admission[str] = Admission()
    admission.resize(9, -1)
    a, b = admission.add("a"), admission.add("b")
    a.models = frozenset({"x", "y"})

    assert admission.take(1, Extras(model_id="m")) is b
    assert admission.take(2, Extras(model_id="m")) is b


def test_a_policy_of_one_s_own_is_imported(monkeypatch):
    class Last:
        def __init__(self, offset=0):
            self.offset = offset

        def choose(self, replicas, extras):
            return replicas[-1 - self.offset]

    module = types.ModuleType("my_policies")
    monkeypatch.setattr(module, "Last", Last, raising=False)
    monkeypatch.setitem(sys.modules, "my_policies", module)
    spec = RoutingSpec(policy="my_policies:Last", arguments={"offset": 1})

    assert chosen(make_policy(spec), replicas(a=0, b=0)).replica == "a"


def test_a_policy_that_fails_leaves_the_choice_to_the_default(monkeypatch, caplog):
    class Broken:
        def choose(self, replicas, extras):
            raise KeyError("oops")

    module = types.ModuleType("my_policies")
    monkeypatch.setattr(module, "Broken", Broken, raising=False)
    monkeypatch.setitem(sys.modules, "my_policies", module)
    policy = make_policy(RoutingSpec(policy="my_policies:Broken"))

    assert chosen(policy, replicas(a=1, b=0)).replica == "b"
    assert chosen(policy, replicas(a=0, b=1)).replica == "a"
    assert caplog.text.count("the default one decides") == 1


def test_a_policy_that_cannot_be_imported_is_the_default_one(caplog):
    policy = make_policy(RoutingSpec(policy="no_such_module:Thing"))

    assert isinstance(policy, LeastLoaded)
    assert "no_such_module:Thing" in caplog.text


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"policy": "best"}, "no routing policy 'best'; there are least_loaded"),
        (
            {"policy": "round_robin", "arguments": {"x": 1}},
            "no argument 'x'; it takes: none",
        ),
        ({"policy": "a:B", "arguments": {"x": {1}}}, "must be JSON"),
    ],
)
def test_specs_that_cannot_be_are_refused(options, says):
    with pytest.raises(ValueError, match=says):
        RoutingSpec(**options)
