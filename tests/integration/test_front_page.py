"""The programs of Ray Serve's front page, with only the import line changed."""

import json

import pytest
from fastapi import FastAPI
from starlette.requests import Request

from workbench import serve
from workbench.serve.handle import DeploymentHandle


def test_hello_world(run, http, url):
    @serve.deployment
    class MyModelDeployment:
        def __init__(self, msg: str):
            self._msg = msg

        def __call__(self, request: Request) -> dict:
            return {"result": self._msg}

    app = MyModelDeployment.bind(msg="Hello world!")

    run(app)

    assert http.get(url).json() == {"result": "Hello world!"}


def test_composition_of_three_deployments(run, http, url):
    @serve.deployment
    class Adder:
        def __init__(self, increment: int):
            self.increment = increment

        def add(self, inp: int):
            return self.increment + inp

    @serve.deployment
    class Combiner:
        def average(self, *inputs) -> float:
            return sum(inputs) / len(inputs)

    @serve.deployment
    class Ingress:
        def __init__(
            self,
            adder1: DeploymentHandle,
            adder2: DeploymentHandle,
            combiner: DeploymentHandle,
        ):
            self._adder1 = adder1
            self._adder2 = adder2
            self._combiner = combiner

        async def __call__(self, request: Request) -> dict[str, float]:
            input_json = await request.json()
            final_result = await self._combiner.average.remote(
                self._adder1.add.remote(input_json["val"]),
                self._adder2.add.remote(input_json["val"]),
            )
            return {"result": final_result}

    app = Ingress.bind(
        Adder.bind(increment=1), Adder.bind(increment=2), Combiner.bind()
    )

    run(app)

    assert http.post(url, json={"val": 100.0}).json() == {"result": 101.5}


def test_fastapi_ingress(run, http, url):
    app = FastAPI()

    @serve.deployment
    @serve.ingress(app)
    class MyFastAPIDeployment:
        @app.get("/hello")
        def say_hello(self, name: str) -> str:
            return f"Hello {name}!"

    run(MyFastAPIDeployment.bind())

    assert http.get(f"{url}/hello", params={"name": "Theodore"}).json() == (
        "Hello Theodore!"
    )
    assert http.get(f"{url}/hello").status_code == 422
    assert http.get(f"{url}/nowhere").status_code == 404


@pytest.mark.models
def test_transformers_text_classifier(run, http, url, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    model_dir = _tiny_classifier(tmp_path / "model")

    @serve.deployment
    class SentimentAnalysisDeployment:
        def __init__(self, model):
            from transformers import pipeline

            self._model = pipeline("sentiment-analysis", model=model)

        def __call__(self, request: Request) -> dict:
            return self._model(request.query_params["text"])[0]

    run(SentimentAnalysisDeployment.bind(str(model_dir)))
    answer = http.get(url, params={"text": "ray serve is great"}).json()

    assert set(answer) == {"label", "score"}
    assert answer["label"] in {"NEGATIVE", "POSITIVE"}
    assert 0.5 <= answer["score"] <= 1.0


def _tiny_classifier(path):
    """A real BERT classifier with random weights and a vocabulary of a few words."""
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        BertTokenizerFast,
    )

    path.mkdir()
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "ray",
        "serve",
        "is",
        "great",
    ]
    (path / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(path / "vocab.txt")).save_pretrained(path)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        id2label={0: "NEGATIVE", 1: "POSITIVE"},
        label2id={"NEGATIVE": 0, "POSITIVE": 1},
    )
    BertForSequenceClassification(config).save_pretrained(path)
    assert json.loads((path / "config.json").read_text())["model_type"] == "bert"
    return path
