"""What a replica's seat becomes in its environment."""

from workbench.replica.environment import environment_of
from workbench.spec.deployment import ActorOptions, DeploymentOptions, Kind, Version
from workbench.spec.replica import Seat


def environment(gpu_ids=(), **options):
    return environment_of(
        Seat(
            app="a",
            deployment="d",
            kind=Kind.CLASS,
            options=DeploymentOptions(ray_actor_options=ActorOptions(**options)),
            version=Version(code="", init="", placement="", config=""),
            gpu_ids=gpu_ids,
        )
    )


def test_a_replica_without_gpus_sees_none():
    assert environment()["CUDA_VISIBLE_DEVICES"] == ""


def test_gpus_of_the_seat_are_the_visible_ones():
    assert environment(("0", "3"))["CUDA_VISIBLE_DEVICES"] == "0,3"


def test_what_ray_said_to_the_process_stays():
    assert "CUDA_VISIBLE_DEVICES" not in environment(None)


def test_native_threads_follow_the_cpus():
    numbers = [environment(num_cpus=cpus)["OMP_NUM_THREADS"] for cpus in (0, 0.5, 2.5)]

    assert numbers == ["1", "1", "3"]


def test_the_users_own_variables_win():
    given = {"env_vars": {"OMP_NUM_THREADS": 7, "MODEL": "big"}}

    made = environment(runtime_env=given)

    assert (made["OMP_NUM_THREADS"], made["MODEL"]) == ("7", "big")
