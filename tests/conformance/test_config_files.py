"""Config files and the command line that deploys them."""

import textwrap

import pytest

behaviour = pytest.mark.behaviour
differs = pytest.mark.differs

MODULE = """
    import pydantic
    from {serve} import deployment

    @deployment(ray_actor_options={{"num_cpus": 0.1}}, user_config={{"word": "code"}})
    class Speaker:
        def __init__(self, *names):
            self.names = names

        def reconfigure(self, config):
            self.word = config["word"]

        async def __call__(self, request):
            return " ".join([self.word, *self.names])

    app = Speaker.bind()
    pair = Speaker.options(name="Front").bind(Speaker.options(name="Back").bind())

    def together(contexts):
        # As many of each as are decided on together, step by step.
        steps = {{key: ctx.policy_state.get("step", 0) + 1 for key, ctx in contexts.items()}}
        assert {{key.name for key in contexts}} <= {{"Front", "Back"}}
        numbers = {{key: min(step, len(contexts)) for key, step in steps.items()}}
        return numbers, {{key: {{"step": step}} for key, step in steps.items()}}

    def by_dict(args):
        return Speaker.bind(args["name"])

    class Args(pydantic.BaseModel):
        name: str
        times: int = 2

    def by_model(args: Args):
        return Speaker.bind(*[args.name] * args.times)
"""


@pytest.fixture
def project(tmp_path, serve):
    (tmp_path / "declared.py").write_text(
        textwrap.dedent(MODULE.format(serve=serve.__name__))
    )
    return tmp_path


@pytest.fixture
def declare(elsewhere, project, name):
    """Write a config file of one application, and deploy it."""

    def declare(*lines, name=name, check=True, top=()):
        path = project / "config.yaml"
        head = [
            *top,
            "applications:",
            f"- name: {name}",
            f"  route_prefix: /{name}",
            "  runtime_env:",
            f"    env_vars: {{PYTHONPATH: {project}}}",
        ]
        path.write_text("\n".join([*head, *(f"  {line}" for line in lines)]) + "\n")
        return elsewhere("run", "--non-blocking", "-d", project, path, check=check)

    return declare


@pytest.fixture
def says(http, url, eventually):
    def says(text):
        return eventually(lambda: http.get(url).text == text, within_s=120)

    return says


@behaviour(
    "a22, §11.2, §11.3", "a config file deploys; its options win over the code's"
)
def test_config_file(declare, says):
    declare("import_path: declared:app")
    assert says("code")

    override = "{name: Speaker, user_config: {word: file}}"
    declare("import_path: declared:app", f"deployments: [{override}]")
    assert says("file")

    declare("import_path: declared:app")
    assert says("code")


@behaviour("a23, §11.2", "a builder gets the args of the file, as a dict or its model")
@pytest.mark.parametrize(
    ("builder", "text"), [("by_dict", "code ann"), ("by_model", "code ann ann")]
)
def test_builder(declare, says, builder, text):
    declare(f"import_path: declared.{builder}", "args: {name: ann}")

    assert says(text)


@behaviour("a22, §11.4", "build writes a file that can be deployed")
def test_build(elsewhere, project, says, name):
    path = project / "built.yaml"
    elsewhere("build", "-d", project, "-o", path, "declared:app")
    text = path.read_text()
    assert "import_path: declared:app" in text
    assert "name: Speaker" in text

    text = text.replace("name: app1", f"name: {name}")
    text = text.replace("route_prefix: /", f"route_prefix: /{name}")
    environment = f"runtime_env: {{env_vars: {{PYTHONPATH: {project}}}}}"
    path.write_text(text.replace("runtime_env: {}", environment))
    elsewhere("run", "--non-blocking", "-d", project, path)

    assert says("code")


@behaviour("§8, §11.1", "target_capacity: so many per cent of every number run")
def test_target_capacity(declare, serve, name, eventually):
    def is_running(count):
        app = serve.status().applications.get(name)
        found = app.deployments.values() if app else ()
        return [each.replica_states.get("RUNNING", 0) for each in found] == [count]

    lines = (
        "import_path: declared:app",
        "deployments: [{name: Speaker, num_replicas: 3}]",
    )
    declare(*lines, top=["target_capacity: 50"])
    assert eventually(lambda: is_running(2), within_s=120)

    declare(*lines, top=["target_capacity: 0"])
    assert eventually(lambda: is_running(0), within_s=120)

    declare(*lines)
    assert eventually(lambda: is_running(3), within_s=120)


@behaviour("§8", "external_scaler_enabled and autoscaling exclude each other")
def test_external_scaler(declare):
    config = "{max_replicas: 3}"
    done = declare(
        "import_path: declared:app",
        "external_scaler_enabled: true",
        f"deployments: [{{name: Speaker, autoscaling_config: {config}}}]",
        check=False,
    )

    assert done.returncode != 0
    assert "external_scaler_enabled" in done.stdout + done.stderr


@behaviour("§8", "an application's policy decides on all its deployments together")
def test_application_policy(declare, serve, name, eventually):
    config = (
        "{max_replicas: 3, upscale_delay_s: 0, metrics_interval_s: 0.5, "
        "look_back_period_s: 1}"
    )
    declare(
        "import_path: declared:pair",
        "autoscaling_policy: {policy_function: 'declared:together'}",
        "deployments:",
        f"- {{name: Front, autoscaling_config: {config}}}",
        f"- {{name: Back, autoscaling_config: {config}}}",
    )

    def counts():
        app = serve.status().applications.get(name)
        found = app.deployments.values() if app else ()
        return [each.replica_states.get("RUNNING", 0) for each in found]

    assert eventually(lambda: counts() == [2, 2], within_s=120)


@behaviour("§11.1", "a file that cannot be is refused, with the field's name")
@pytest.mark.parametrize(
    ("lines", "field"),
    [
        (["import_path: 7"], "import_path"),
        (["route_prefiks: /a"], "import_path"),
        (["import_path: declared:app", "args: 3"], "args"),
    ],
)
def test_impossible_files(declare, lines, field):
    done = declare(*lines, check=False)

    assert done.returncode != 0
    assert field in done.stdout + done.stderr


@behaviour("§11.1", "a field that there is not is refused by its path")
@differs("fields that it does not know are passed over")
def test_unknown_fields(declare):
    done = declare("import_path: declared:app", "colour: blue", check=False)

    assert done.returncode != 0
    assert "colour" in done.stdout + done.stderr


@behaviour("§11.1", "applications that a second file does not name run on")
@differs("it deletes them; `workbench deploy --prune` does")
def test_other_files(declare, says, serve, name):
    declare("import_path: declared:app")
    assert says("code")
    declare("import_path: declared:app", name=f"{name}b")

    assert says("code")
    serve.delete(f"{name}b")
