"""What config files declare becomes what is sent, without anything that runs."""

import textwrap

import pytest

from workbench.declared import open_door, read_declared, write_config
from workbench.errors import ConfigError
from workbench.import_path import forget_local_modules, load_application
from workbench.serve.config import grpc_options, http_options

MODULE = """
    import pydantic
    from workbench import serve

    @serve.deployment(ray_actor_options={"num_cpus": 0.5, "runtime_env": {"env_vars": {"A": "code", "B": "code"}}})
    class Leaf:
        pass

    @serve.deployment(num_replicas=2, user_config={"from": "code"})
    class Root:
        def __init__(self, leaf, greeting="none"):
            self.greeting = greeting

        def reconfigure(self, config):
            self.config = config

    app = Root.bind(Leaf.bind())
    unbound = Root
    number = 7

    def together(contexts, most):
        return {key: most for key in contexts}, None

    def from_dict(args):
        return Root.bind(Leaf.bind(), args["greeting"])

    class Args(pydantic.BaseModel):
        greeting: str
        times: int = 1

    def from_model(args: Args):
        return Root.bind(Leaf.bind(), args.greeting * args.times)

    def from_two(one, two):
        return app

    def from_nothing(args: dict):
        return None
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A directory with a module, which this process forgets again."""
    (tmp_path / "declared_app.py").write_text(textwrap.dedent(MODULE))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    forget_local_modules(tmp_path)


def declared(project, text):
    path = project / "config.yaml"
    path.write_text(textwrap.dedent(text))
    return read_declared(path, project)


def deployments(built):
    return {each.name: each for each in built.request.application.deployments}


def test_options_of_the_file_win_over_the_code(project):
    (built,) = declared(
        project,
        """
        applications:
        - import_path: declared_app:app
          deployments:
          - name: Root
            num_replicas: 3
            user_config: {from: file}
            max_ongoing_requests: 9
        """,
    ).build()

    options = deployments(built)["Root"].options
    assert (options.num_replicas, options.max_ongoing_requests) == (3, 9)
    assert options.user_config == {"from": "file"}
    assert built.request.may_keep is False
    assert built.request.application.owner.notebook.endswith("config.yaml")


def test_without_an_override_the_code_counts(project):
    (built,) = declared(
        project, "applications: [{import_path: declared_app.app}]"
    ).build()

    assert deployments(built)["Root"].options.num_replicas == 2


def test_environments_are_merged_the_inner_one_wins(project):
    (built,) = declared(
        project,
        """
        applications:
        - import_path: declared_app:app
          runtime_env: {env_vars: {B: file, C: file}}
        """,
    ).build()

    leaf, root = (
        deployments(built)[name].options.ray_actor_options for name in ("Leaf", "Root")
    )
    assert leaf.num_cpus == 0.5
    assert leaf.runtime_env == {"env_vars": {"A": "code", "B": "code", "C": "file"}}
    assert root.runtime_env == {"env_vars": {"B": "file", "C": "file"}}


def test_the_nearest_logging_config_counts(project):
    text = """
        logging_config: {log_level: WARNING}
        applications:
        - import_path: declared_app:app
          deployments: [{name: Leaf, logging_config: {log_level: DEBUG}}]
    """
    (built,) = declared(project, text).build()

    levels = {
        name: spec.options.logging_config.log_level
        for name, spec in deployments(built).items()
    }
    assert levels == {"Root": "WARNING", "Leaf": "DEBUG"}


def test_a_policy_of_the_whole_application_travels_with_it(project):
    text = """
        applications:
        - import_path: declared_app:app
          autoscaling_policy:
            policy_function: declared_app:together
            policy_kwargs: {most: 3}
          deployments:
          - name: Leaf
            autoscaling_config: {max_replicas: 4, policy: {policy_function: latency, policy_kwargs: {target_ms: 50}}}
    """
    (built,) = declared(project, text).build()

    app = built.request.application
    policy = app.autoscaling_policy
    assert (policy.policy_function, policy.policy_kwargs) == ("together", {"most": 3})
    assert policy.code in built.request.blobs
    assert app.blob_ids() <= built.request.blobs.keys()
    assert built.warnings == (
        "'Leaf' has a policy of its own; the application's takes its place.",
    )


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        ("{policy_function: latency, policy_kwargs: {target_ms: 5}}", "one deployment"),
        ("{policy_function: 'declared_app:nothing'}", "no function or class 'nothing'"),
        ("{function: 'declared_app:together'}", "it has no 'function'"),
        ("{policy_function: nowhere}", "There is no autoscaling policy 'nowhere'"),
    ],
)
def test_a_policy_that_cannot_be_is_refused_with_its_place(project, policy, text):
    head = "applications: [{import_path: 'declared_app:app', autoscaling_policy: "

    with pytest.raises(ConfigError, match=rf"\[0\].autoscaling_policy: .*{text}"):
        declared(project, head + policy + "}]").build()


def test_what_a_file_says_of_tracing_cannot_be_misspelt(project):
    found = declared(project, "{tracing_config: {rate: 1}, applications: []}")

    with pytest.raises(ConfigError, match=r"config.yaml: tracing_config has no 'rate'"):
        open_door(found, keep=False, say=print)


def test_a_share_of_every_number_is_asked_for_by_the_whole_file(project):
    text = "{target_capacity: 40, applications: [{import_path: 'declared_app:app'}]}"

    (built,) = declared(project, text).build()

    assert built.request.application.target_capacity == 40


def test_where_something_outside_scales_nothing_may_scale_itself(project):
    text = """
        applications:
        - import_path: declared_app:app
          external_scaler_enabled: true
          deployments: [{name: Leaf, autoscaling_config: {max_replicas: 4}}]
    """

    with pytest.raises(ConfigError, match=r"deployments\[0\]: .*'Leaf' exclude each"):
        declared(project, text).build()

    (built,) = declared(project, text.replace("{max_replicas: 4}", "null")).build()
    assert built.request.application.external_scaler_enabled


def test_an_unchanged_file_is_an_unchanged_version(project):
    text = "applications: [{import_path: declared_app:app}]"
    (first,), (second,) = (
        declared(project, text).build(),
        declared(project, text).build(),
    )

    assert [each.version for each in first.request.application.deployments] == [
        each.version for each in second.request.application.deployments
    ]


@pytest.mark.parametrize(
    ("application", "message"),
    [
        ("{import_path: nowhere_at_all:app}", "no module 'nowhere_at_all'"),
        ("{import_path: 'declared_app:nope'}", "has no 'nope'"),
        ("{import_path: nocolon}", "no import path"),
        (
            "{import_path: 'declared_app:unbound'}",
            "is a deployment, not an application",
        ),
        ("{import_path: 'declared_app:number'}", "is 7, which is no application"),
        ("{import_path: 'declared_app:app', args: {a: 1}}", "but args are given"),
        ("{import_path: 'declared_app:from_two', args: {a: 1}}", "has 2 parameters"),
        ("{import_path: 'declared_app:from_nothing'}", "returned None"),
        (
            "{import_path: 'declared_app:from_model', args: {times: x}}",
            r"(?s)args do not fit Args.*greeting",
        ),
        (
            "{import_path: 'declared_app:app', deployments: [{name: Nope}]}",
            r"\$.applications\[0\].deployments\[0\].name: .*no deployment 'Nope'",
        ),
        (
            "{import_path: 'declared_app:app', deployments: [{name: Root, num_replicas: 0}]}",
            r"\$.applications\[0\].deployments\[0\]: num_replicas must be at least 1",
        ),
        (
            "{import_path: 'declared_app:app', deployments: [{name: Root, speed: 1}]}",
            r"deployments\[0\]: Unknown option 'speed'",
        ),
        (
            "{import_path: 'declared_app:app', runtime_env: {working_dir: 'https://x/y.zip'}}",
            r"runtime_env.working_dir .* is no directory",
        ),
    ],
)
def test_mistakes_say_where_they_are(project, application, message):
    with pytest.raises(ConfigError, match=message):
        declared(project, f"applications: [{application}]").build()


def test_a_module_missing_inside_the_users_own_is_their_traceback(project):
    (project / "declared_broken.py").write_text("import no_such_module_at_all\n")

    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
        load_application("declared_broken:app", {}, project)


def test_builders_get_a_dict_or_their_model(project):
    by_dict = load_application("declared_app:from_dict", {"greeting": "hi"}, project)
    by_model = load_application(
        "declared_app:from_model", {"greeting": "hi", "times": "2"}, project
    )

    assert (by_dict.args[1], by_model.args[1]) == ("hi", "hihi")


def test_forgotten_modules_are_read_anew(project):
    load_application("declared_app:app", {}, project)
    source = textwrap.dedent(MODULE).replace("num_replicas=2", "num_replicas=12")
    (project / "declared_app.py").write_text(source)

    forget_local_modules(project)

    app = load_application("declared_app:app", {}, project)
    assert app.deployment.num_replicas == 12


def test_a_written_file_declares_the_same(project):
    (built,) = declared(
        project, "applications: [{import_path: declared_app:app}]"
    ).build()

    text = write_config({"declared_app:app": built})
    (again,) = declared(project, text).build()

    assert "num_replicas: 2" in text
    for name, spec in deployments(built).items():
        assert deployments(again)[name].options == spec.options


def test_several_applications_get_routes_of_their_own(project):
    (built,) = declared(
        project, "applications: [{import_path: declared_app:app}]"
    ).build()

    text = write_config({"declared_app:app": built, "declared_app.app": built})

    assert "route_prefix: /app1" in text
    assert "route_prefix: /app2" in text


def test_what_serve_build_of_ray_writes_is_taken(project):
    """Its file in full, with the import path of ours."""
    found = declared(
        project,
        """
        # This file was generated using the `serve build` command on Ray v2.60.0.
        proxy_location: EveryNode
        http_options: {host: 0.0.0.0, port: 8000}
        grpc_options:
          port: 9000
          grpc_servicer_functions: []
          enable_reflection: true
        logging_config:
          encoding: TEXT
          log_level: INFO
          logs_dir: null
          enable_access_log: true
          additional_log_standard_attrs: []
        applications:
        - name: app1
          route_prefix: /
          import_path: declared_app:app
          runtime_env: {}
          deployments:
          - name: Root
            user_config: {word: code}
            ray_actor_options: {num_cpus: 0.1}
        """,
    )

    (built,) = found.build()

    http = http_options(found.config.http_options)
    grpc = grpc_options(found.config.grpc_options)
    assert http is not None
    assert grpc is not None
    assert (http.host, grpc.port) == ("0.0.0.0", 9000)
    options = deployments(built)["Root"].options
    assert options.ray_actor_options.num_cpus == 0.1
    assert options.logging_config.log_level == "INFO"
