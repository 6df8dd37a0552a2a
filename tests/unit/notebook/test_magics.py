"""The lines after `%%serve` and `%serve`, and what they do."""

from dataclasses import replace

import pytest

from tests.unit.notebook.fake_backend import INSTANCE, Answer, running, said
from workbench.errors import ConstructorError, InstanceError
from workbench.notebook.verbs import VERBS

MODEL = (
    "@deployment\nclass Model:\n    def __call__(self, request):\n        return 1\n"
)


def test_a_cell_is_served_under_default_names(notebook):
    ran = notebook.run(f"%%serve\n{MODEL}")

    (asked,) = notebook.backend.deploys
    assert (asked.name, asked.route_prefix) == ("default", "/")
    assert asked.may_keep
    assert asked.wait
    assert "● default · live · http://127.0.0.1:8000/ · 12 ms" in ran.shown
    assert "Model · start: new deployment · 1 running" in ran.shown
    assert "curl http://127.0.0.1:8000/" in ran.shown
    assert 'serve.get_app_handle("default").remote(...).result()' in ran.shown


def test_every_option_reaches_the_deploy(notebook):
    line = "%%serve digits --route /d --replicas 3 --fresh --no-wait --out handle"
    ran = notebook.run(f"{line}\n{MODEL}")

    (asked,) = notebook.backend.deploys
    assert (asked.name, asked.route_prefix) == ("digits", "/d")
    assert asked.target.deployment.deployment_options.num_replicas == 3
    assert not asked.may_keep
    assert not asked.wait
    assert notebook.namespace["handle"] == "the handle"
    assert "deploying on its own" in ran.shown


def test_replicas_leave_the_bound_arguments_as_they_are(notebook):
    bound = "@deployment\nclass Model:\n    def __init__(self, a, b): ...\n"

    notebook.run(f"%%serve --replicas 2\n{bound}\nModel.bind(1, b=2)")

    (asked,) = notebook.backend.deploys
    assert (asked.target.args, asked.target.kwargs) == ((1,), {"b": 2})


def test_a_second_application_gets_a_route_of_its_name(notebook):
    notebook.run(f"%%serve\n{MODEL}")

    ran = notebook.run(f"%%serve second\n{MODEL}")

    assert notebook.backend.deploys[-1].route_prefix == "/second"
    assert "`/` belongs to default, so this is at `/second`" in ran.shown


def test_an_application_keeps_its_route(notebook):
    notebook.run(f"%%serve --route /here\n{MODEL}")

    notebook.run(f"%%serve\n{MODEL}")

    assert notebook.backend.deploys[-1].route_prefix == "/here"


def test_taking_the_place_of_another_application_is_said(notebook):
    notebook.run(f"%%serve\n{MODEL}")

    ran = notebook.run(f"%%serve\n{MODEL.replace('Model', 'Other')}")

    assert "takes the place of Model, which was default before" in ran.shown


def test_a_notebook_and_its_cell_own_what_they_serve(notebook, monkeypatch):
    notebook.namespace["__session__"] = "/home/ann/digits.ipynb"
    parent = {"metadata": {"cellId": "c1"}}
    monkeypatch.setattr(notebook.shell, "get_parent", lambda: parent, raising=False)

    notebook.run(f"%%serve\n{MODEL}")

    owner = notebook.backend.deploys[-1].owner
    assert (owner.notebook, owner.cell) == ("/home/ann/digits.ipynb", "c1")


def test_a_failed_deploy_shows_the_users_traceback_once(notebook):
    text = (
        "Model: Traceback (most recent call last):\n  Cell In[2], line 4\nValueError: x"
    )
    notebook.backend.fails_with = ConstructorError(text)

    ran = notebook.run(f"%%serve --out handle\n{MODEL}")

    assert ran.shown.count("ValueError: x") == 1
    assert "✕ default · failed" in ran.shown
    assert "Nothing serves under this name" in ran.shown
    assert "magics.py" not in ran.shown
    assert "handle" not in notebook.namespace


def test_a_replicas_traceback_names_the_cell_as_the_reader_does(notebook):
    notebook.run(f"%%serve\n{MODEL}")
    method = notebook.namespace["Model"].func_or_class.__call__
    where = f'File "{method.__code__.co_filename}", line 5, in __call__'
    notebook.backend.fails_with = ConstructorError(f"Traceback:\n  {where}\n")
    notebook.backend.applications["failed"] = running("Model", message=where)

    for cell in (f"%%serve\n{MODEL}", "%serve"):
        ran = notebook.run(cell)
        shown = ran.shown + "".join(
            output.data["text/plain"] for output in ran.output.outputs
        )
        assert "Cell In[2], line 5, in __call__" in shown
        assert "ipython-input" not in shown


def test_a_failed_redeploy_says_that_the_previous_version_serves(notebook):
    notebook.run(f"%%serve\n{MODEL}")
    notebook.backend.fails_with = ConstructorError("no")

    ran = notebook.run(f"%%serve\n{MODEL}")

    assert "The previous version serves on." in ran.shown


def test_braces_and_dollars_in_a_cell_stay(notebook):
    notebook.run("x = 'wrong'")

    notebook.run(f"%%serve\ntext = f'{{1 + 1}} $x {{{{x}}}}'\n{MODEL}")

    assert notebook.namespace["text"] == "2 $x {x}"


def test_an_interrupt_ends_the_wait_and_says_what_goes_on(notebook):
    notebook.backend.fails_with = KeyboardInterrupt()

    ran = notebook.run(f"%%serve\n{MODEL}")

    assert isinstance(ran.error, KeyboardInterrupt)
    assert "○ default · deploying on its own" in ran.shown
    assert ran.shown.rstrip().endswith(
        "KeyboardInterrupt: Interrupted; the deploy goes on without the cell."
    )


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("--replica 2", "no option --replica; did you mean `--replicas`?"),
        ("--replicas none", "'none' is no number of replicas"),
        ("--route digits", "'digits' must start with '/'"),
        ("--out 1st", "'1st' is no name for a variable"),
        ("a/b", "'a/b' is no name"),
        ("a b", "too many words: 'b'"),
        ("'", "No closing quotation"),
    ],
)
def test_a_wrong_word_is_one_line_of_advice(notebook, line, advice):
    ran = notebook.run(f"%%serve {line}\nran = True")

    assert ran.shown.startswith("UsageError: %%serve: ")
    assert advice in ran.shown
    assert ran.shown.count("\n") == 1
    assert "ran" not in notebook.namespace


def test_braces_and_dollars_in_the_line_stay(notebook):
    notebook.run("name = 'wrong'")

    ran = notebook.run(f"%%serve {{name}}\n{MODEL}")

    assert "'{name}' is no name" in ran.shown


def test_status_without_an_instance_shows_a_first_cell(notebook):
    ran = notebook.run("%serve")

    (output,) = ran.output.outputs
    assert output.data["text/plain"].startswith("Nothing runs.")
    assert "@serve.deployment" in output.data["text/html"]


def test_status_lists_what_is_served(notebook):
    notebook.run(f"%%serve\n{MODEL}")

    for line in ("%serve", "%serve status"):
        (output,) = notebook.run(line).output.outputs

        text = output.data["text/plain"]
        assert "● default" in text
        assert "http://127.0.0.1:8000/" in text
        assert "1 of 1 running" in text
        assert "`%serve query /` calls it" in text


def test_an_instance_without_http_is_said_to_have_none(notebook):
    notebook.backend.instance = replace(INSTANCE, http_url="")

    card = notebook.run(f"%%serve\n{MODEL}")
    (status,) = notebook.run("%serve").output.outputs

    assert "This instance has no HTTP: handles only." in card.shown
    assert "1 application with no HTTP: handles only" in status.data["text/plain"]


def test_delete_stops_one_application(notebook):
    notebook.run(f"%%serve\n{MODEL}")

    notebook.run("%serve delete default")

    assert not notebook.backend.applications


def test_delete_of_a_wrong_name_offers_the_right_one(notebook):
    notebook.backend.instance = INSTANCE
    notebook.backend.applications["digits"] = running("Digits")

    ran = notebook.run("%serve delete digit")

    assert "'digit' is not served; did you mean `digits`?" in ran.shown
    assert "digits" in notebook.backend.applications


def test_shutdown_ends_the_instance(notebook):
    notebook.backend.instance = INSTANCE

    (output,) = notebook.run("%serve shutdown").output.outputs

    assert notebook.backend.instance is None
    assert "Nothing runs." in output.data["text/plain"]


def test_connect_uses_another_instance(notebook):
    notebook.run("%serve connect http://there:9000 --token s3cret")

    assert notebook.backend.connected == ("http://there:9000", "s3cret")


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("/", ("/", None)),
        ('/x {"a":  "b c"}', ("/x", {"a": "b c"})),
        ("/x   [1, 2]", ("/x", [1, 2])),
        ("/x -5", ("/x", -5)),
        ("/x images", ("/x", [[0.5]])),
    ],
)
def test_query_sends_json_as_it_stands_or_a_variable(notebook, line, asked):
    notebook.run("images = [[0.5]]")

    (output,) = notebook.run(f"%serve query {line}").output.outputs

    assert notebook.backend.queries == [asked]
    assert output.data["text/plain"] == (
        '● 200 OK · 3 ms · application/json\n{"digit": 8}'
    )


def test_query_refuses_what_is_neither(notebook):
    ran = notebook.run("%serve query / {a: 1}")

    assert "'{a: 1}' is neither JSON" in ran.shown
    assert not notebook.backend.queries


def test_query_says_how_to_send_what_is_no_json(notebook):
    notebook.run("import numpy\nimages = numpy.zeros((1, 2))")

    ran = notebook.run("%serve query / images")

    assert "images cannot be sent as JSON" in ran.shown
    assert "try images.tolist()" in ran.shown


def test_an_answer_that_is_an_error_shows_as_one(notebook):
    notebook.backend.answer = Answer(
        status_code=500,
        reason_phrase="Internal Server Error",
        headers={"content-type": "text/plain; charset=utf-8"},
        text="<b>sorry</b>",
    )

    (output,) = notebook.run("%serve query /").output.outputs

    assert output.data["text/plain"].startswith("✕ 500 Internal Server Error")
    assert "&lt;b&gt;sorry" in output.data["text/html"]


def test_a_failed_answer_shows_what_the_code_raised(notebook):
    notebook.run(f"%%serve\n{MODEL}")
    file = notebook.namespace["Model"].func_or_class.__call__.__code__.co_filename
    trace = f'  File "{file}", line 5, in __call__\n    return 1\nValueError: <x>'
    failed = "Request r7 failed.\nTraceback (most recent call last):\n"
    notebook.backend.said = [
        said("noise", 1, "ERROR"),
        said(f"{failed}{trace}", 2, "ERROR"),
    ]
    notebook.backend.answer = Answer(
        status_code=500, reason_phrase="Oh", headers={"x-request-id": "r7"}, text="Oh"
    )

    (output,) = notebook.run("%serve query / --out answer").output.outputs

    text, html = output.data["text/plain"], output.data["text/html"]
    assert notebook.backend.asked_logs[0].request_id == "r7"
    assert "Cell In[2], line 5, in __call__" in text
    assert "----> 5         return 1\n" in text
    assert text.count("ValueError: <x>") == 1
    assert "ValueError: &lt;x&gt;" in html
    assert "noise" not in text
    assert "\x1b" not in text + html
    assert "`%serve logs --request-id r7`" in text
    assert notebook.namespace["answer"].status_code == 500


def test_an_answer_is_shown_though_its_log_is_not_to_be_had(notebook, monkeypatch):
    def away(query: object) -> None:
        raise InstanceError("away")

    monkeypatch.setattr(notebook.backend, "logs", away)
    notebook.backend.answer = Answer(
        status_code=500, reason_phrase="Oh", headers={"x-request-id": "r7"}
    )

    (output,) = notebook.run("%serve query /").output.outputs

    assert output.data["text/plain"].startswith("✕ 500 Oh")


@pytest.mark.parametrize(
    ("line", "path", "value", "variable"),
    [
        ("--out a /x [1, 2]", "/x", [1, 2], "a"),
        ("/x [1, 2] --out a", "/x", [1, 2], "a"),
        ("/x --out=a", "/x", None, "a"),
        ('/x "b --out a"', "/x", "b --out a", None),
    ],
)
def test_an_answer_can_be_kept(notebook, line, path, value, variable):
    notebook.run(f"%serve query {line}")

    assert notebook.backend.queries == [(path, value)]
    assert variable is None or notebook.namespace[variable] is notebook.backend.answer


def test_scaling_sets_the_replicas_of_the_only_deployment(notebook):
    notebook.run(f"%%serve\n{MODEL}")

    for line in ("default 3", "default/Model 3"):
        notebook.run(f"%serve scale {line}")

        assert notebook.backend.scaled.pop() == ("default", "Model", 3)


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("defalt 2", "'defalt' is not served; did you mean `default`?"),
        ("default/Modl 2", "has no deployment 'Modl'; did you mean `Model`?"),
        ("default two", "'two' is no number of replicas"),
        ("both 2", "both has several deployments; write `both/A` or `both/B`"),
    ],
)
def test_scaling_the_wrong_thing_says_what_is_right(notebook, line, advice):
    notebook.run(f"%%serve\n{MODEL}")
    both = running("A")
    both.deployments.update(running("B").deployments)
    notebook.backend.applications["both"] = both

    assert advice in notebook.run(f"%serve scale {line}").shown
    assert not notebook.backend.scaled


def test_a_bare_line_says_more_than_a_status(notebook):
    notebook.run(f"%%serve\n{MODEL}")

    bare, status = (
        notebook.run(line).output.outputs[0].data["text/plain"]
        for line in ("%serve", "%serve status")
    )

    assert bare.startswith(status)
    assert "`%serve help` lists all verbs" in bare


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(notebook, verb):
    for option in ("--help", "-h"):
        ran = notebook.run(f"%serve {verb} {option}")

        assert ran.error is None
        assert f"{verb}" in ran.shown
        assert "show this text" in ran.shown


def test_the_magics_explain_themselves(notebook):
    assert "--replicas" in notebook.run("%%serve --help\npass").shown
    assert "%serve delete NAME" in notebook.run("%serve help").shown
    assert "%serve delete NAME" in notebook.run("%serve?").shown
    assert "--replicas" in notebook.run("%%serve?").shown


def test_a_wrong_verb_offers_the_nearest(notebook):
    ran = notebook.run("%serve state")

    assert "no verb 'state'; did you mean `%serve status`?" in ran.shown
    assert ran.shown.count("\n") == 1
