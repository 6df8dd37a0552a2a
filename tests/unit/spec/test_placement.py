"""What is reserved for a replica: one bundle, or those it asks for."""

import pytest

from workbench import serve
from workbench.spec.deployment import ActorOptions, DeploymentOptions
from workbench.spec.placement import group_of


def options(**given):
    return serve.deployment(**given)(type("Model", (), {})).deployment_options


def test_without_bundles_the_replica_is_all():
    actor = ActorOptions(num_gpus=0.5, label_selector={"zone": "a"})

    group = group_of(DeploymentOptions(ray_actor_options=actor))

    assert group.bundles == ({"CPU": 1.0, "GPU": 0.5},)
    assert group.labels == ({"zone": "a"},)


def test_bundles_are_held_together():
    group = group_of(
        options(
            placement_group_bundles=[{"CPU": 1}, {"GPU": 1, "CPU": 1}],
            placement_group_strategy="SPREAD",
            placement_group_bundle_label_selector=[{"zone": "a"}],
        )
    )

    assert group.total() == {"CPU": 2, "GPU": 1}
    assert group.strategy == "SPREAD"
    assert group.labels == ({"zone": "a"}, {"zone": "a"})


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"placement_group_strategy": "PACK"}, ValueError, "needs placement_group_bun"),
        ({"max_replicas_per_node": 0}, ValueError, "1 to 100, or None; got 0"),
        ({"max_replicas_per_node": 101}, ValueError, "got 101"),
        ({"max_replicas_per_node": "2"}, TypeError, "got '2'"),
        (
            {"max_replicas_per_node": 1, "placement_group_bundles": [{"CPU": 1}]},
            ValueError,
            "exclude each other",
        ),
        (
            {
                "placement_group_bundles": [{"CPU": 1}],
                "placement_group_strategy": "TIGHT",
            },
            ValueError,
            "STRICT_PACK.*'TIGHT'",
        ),
        ({"placement_group_bundles": [{"CPU": 0.5}]}, ValueError, "1 CPU.*has 0.5"),
        ({"placement_group_bundles": [{"CPU": -1}]}, ValueError, "-1 CPU"),
        ({"placement_group_bundles": [3]}, TypeError, "dict of amounts; got 3"),
        ({"placement_group_bundles": "CPU"}, TypeError, "list of dicts; got 'CPU'"),
        (
            {
                "placement_group_bundles": [{"CPU": 1}],
                "placement_group_bundle_label_selector": [{}, {}],
            },
            ValueError,
            "for each of the 1; got 2",
        ),
    ],
)
def test_bundles_that_cannot_be(given, error, text):
    with pytest.raises(error, match=text):
        options(**given)
