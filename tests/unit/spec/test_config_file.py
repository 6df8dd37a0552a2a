"""Reading config files: what is taken, and how each mistake is named."""

import pytest

from workbench.errors import ConfigError
from workbench.spec.config_file import read_config

FULL = """
proxy_location: EveryNode
http_options:
  host: 127.0.0.1
  port: 8123
applications:
- name: text
  route_prefix: /text
  import_path: text_ml:app
  args: {model: small}
  runtime_env: {env_vars: {A: "1"}}
  deployments:
  - name: Translator
    num_replicas: 2
    user_config: {language: french}
- name: quiet
  route_prefix: null
  import_path: text_ml.quiet
"""


def test_a_file_as_ray_serve_has_it():
    config = read_config(FULL)

    text, quiet = config.applications
    assert config.http_options == {"host": "127.0.0.1", "port": 8123}
    assert (text.name, text.route_prefix, text.args) == (
        "text",
        "/text",
        {"model": "small"},
    )
    assert text.deployments[0]["num_replicas"] == 2
    assert quiet.route_prefix is None


def test_json_is_yaml_too():
    config = read_config('{"applications": [{"import_path": "a:b"}]}')

    assert config.applications[0].name == "default"
    assert config.applications[0].route_prefix == "/"


def test_fields_that_mean_nothing_are_taken():
    """As `serve build` and `serve config` write them out."""
    text = "applications: [{import_path: a:b, host: null}]"

    assert read_config(f"controller_options: {{}}\n{text}").applications


def test_a_share_of_everything_and_who_scales():
    text = "applications: [{import_path: a:b, external_scaler_enabled: true}]"

    found = read_config(f"target_capacity: 50\n{text}")

    assert (found.target_capacity, found.applications[0].external_scaler_enabled) == (
        50,
        True,
    )


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("applications: [", "YAML"),
        ("just text", r"\$ must be a mapping"),
        ("{}", "`applications`"),
        ("applications: [{name: a}]", r"`import_path` - at `\$.applications\[0\]`"),
        ("applications: [7]", r"\$.applications\[0\] must be a mapping"),
        ("applications: [{import_path: 7}]", r"`\$.applications\[0\].import_path`"),
        (
            "applications: [{import_path: a:b, rout_prefix: /}]",
            r"\$.applications\[0\].rout_prefix is no field",
        ),
        ("speed: 7\napplications: []", r"\$.speed is no field"),
        (
            "target_capacity: 101\napplications: []",
            r"\$.target_capacity is a percentage",
        ),
        ("controller_options: {a: 1}\napplications: []", "options is not offered"),
        (
            "applications: [{import_path: a:b, autoscaling_policy: all}]",
            r"`object \| null`, got `str` - at `\$.applications\[0\].autoscaling_policy",
        ),
        (
            "applications: [{import_path: a:b, host: x}]",
            r"\$.applications\[0\].host is not offered",
        ),
        (
            "applications: [{import_path: a:b, route_prefix: x}]",
            r"\$.applications\[0\].route_prefix: .*must start",
        ),
        (
            "applications: [{import_path: a:b}, {import_path: a:c, route_prefix: /c}]",
            r"\$.applications\[1\].name is 'default', which applications\[0\] has",
        ),
        (
            "applications: [{import_path: a:b}, {import_path: a:c, name: c}]",
            r"\$.applications\[1\].route_prefix is '/', which applications\[0\] has",
        ),
        (
            "applications: [{import_path: a:b, deployments: [{num_replicas: 2}]}]",
            r"\$.applications\[0\].deployments\[0\] needs the name",
        ),
        ("applications: [{import_path: a:b, name: ''}]", "name must not be empty"),
    ],
)
def test_a_mistake_is_named_with_its_path(text, path):
    with pytest.raises(ConfigError, match=path):
        read_config(text)
