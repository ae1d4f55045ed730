"""Open Inference Protocol v2: each kind of input, each kind of error, and what is kept."""

import base64
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client

from predictions.access.rate_limits import limiter
from predictions.access.tokens import create_token
from predictions.core.metrics import TENSORS
from predictions.protocols.tensors import MAX_PICTURES, MAX_TENSORS
from predictions.registry import versions
from predictions.services import prediction
from predictions.stores import get_store
from predictions.stores.interface import PredictionStore
from tests.support.digits import draw_digits
from tests.support.networks import constant_network, write_model

pytestmark = pytest.mark.django_db
Png = Callable[..., bytes]
URL = "/v2/models/digits/infer"
DRAWN = draw_digits(20)
GREYS = DRAWN.images[..., np.newaxis]  # uint8 (20, 28, 28, 1)
X = (GREYS / 255).astype(np.float32)
ZERO = {"name": "x", "datatype": "UINT8", "shape": [1, 28, 28, 1], "data": [0] * 784}


def ask(path: str = URL, body: Any = None, **head: Any) -> tuple[int, Any]:
    """GET, or POST a body without a content type, as tritonclient does."""
    client = Client()
    if body is None:
        response = client.get(path, **head)
    else:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = client.generic("POST", path, sent, content_type="", **head)
    assert response["Content-Type"] == "application/json"
    return response.status_code, response.json()


def tensor(data: Any, datatype: str = "FP32", shape: list[int] | None = None) -> dict[str, Any]:
    if isinstance(data, np.ndarray):
        shape = shape or list(data.shape)
        data = data.tolist()
    return {"name": "x", "datatype": datatype, "shape": shape, "data": data}


def files(*contents: bytes) -> dict[str, Any]:
    data = [base64.b64encode(content).decode() for content in contents]
    return tensor(data, "BYTES", [len(contents)])


def infer(*inputs: dict[str, Any], path: str = URL, **others: Any) -> dict[str, Any]:
    status, answer = ask(path, {"inputs": list(inputs), **others})
    assert status == 200, answer
    return {**answer, "outputs": {each["name"]: each for each in answer["outputs"]}}


def kept() -> int:
    return len(get_store().latest().records)


@pytest.mark.parametrize(
    "sent",
    [
        tensor(X),
        tensor(X.ravel(), shape=[20, 28, 28, 1]),
        tensor(X[..., 0], shape=[20, 28, 28]),
        tensor(GREYS, "UINT8"),
        tensor(GREYS.astype(float), "FP32"),
    ],
    ids=["nested", "flat", "without channel", "UINT8", "FP32 up to 255"],
)
def test_a_tensor_is_answered_by_the_network_alone(sent: dict[str, Any]) -> None:
    before = TENSORS.labels(0)._value.get()
    answer = infer(sent, id="one" * 85, model_name="digits")
    assert answer["id"] == "one" * 85
    assert (answer["model_name"], answer["model_version"]) == ("digits", "0")
    digit, probabilities = answer["outputs"]["digit"], answer["outputs"]["probabilities"]
    assert (digit["datatype"], digit["shape"]) == ("INT64", [20])
    assert np.mean(digit["data"] == DRAWN.labels) > 0.9
    assert (probabilities["datatype"], probabilities["shape"]) == ("FP32", [20, 10])
    rows = np.reshape(probabilities["data"], (20, 10))
    assert rows.sum(axis=1) == pytest.approx(np.ones(20), abs=1e-5)
    assert rows.argmax(axis=1).tolist() == digit["data"]
    assert TENSORS.labels(0)._value.get() == before + 20
    assert kept() == 0


def test_only_the_outputs_that_are_asked_for_are_returned() -> None:
    answer = infer(tensor(X), outputs=[{"name": "digit"}])
    assert list(answer["outputs"]) == ["digit"]
    assert "id" not in answer


def test_pictures_go_through_the_whole_reader_and_are_kept_only_where_asked(
    png: Png, each_store: PredictionStore
) -> None:
    answer = infer(files(png("7"), png("35", size=300), png("")))
    assert answer["outputs"]["text"]["data"] == ["7", "35", ""]
    assert answer["outputs"]["status"]["data"][2] == "unreadable"
    assert answer["outputs"]["confidence"]["data"][2] == 0
    assert kept() == 0
    answer = infer(files(png("7"), png("8")), parameters={"store": True})
    predictions = [json.loads(text) for text in answer["outputs"]["prediction"]["data"]]
    assert [each["text"] for each in predictions] == ["7", "8"]
    status, found = ask(predictions[0]["url"])
    assert (status, found["source"], found["text"]) == (200, "api", "7")
    assert kept() == 2


def test_of_files_that_are_to_be_kept_all_are_or_none(png: Png) -> None:
    sent = {"inputs": [files(png("7"), b"no picture")], "parameters": {"store": True}}
    status, answer = ask(body=sent)
    assert (status, answer["error"][:12]) == (415, "File 2 of 2:")
    assert kept() == 0


def test_who_sends_a_token_is_known(png: Png, ada: User, settings: LazySettings) -> None:
    settings.ANONYMOUS_READING = False
    body = {"inputs": [files(png("7"))], "parameters": {"store": True}}
    status, answer = ask(body=body)
    assert (status, list(answer)) == (401, ["error"])
    assert ask("/v2/models/digits")[0] == 401
    assert ask("/v2/health/ready") == (200, {"live": True, "ready": True})
    status, answer = ask(body=body, HTTP_AUTHORIZATION=f"Bearer {create_token(ada, by='x')[1]}")
    assert (status, get_store().latest().records[0].created_by) == (200, "ada")


def test_a_session_needs_its_csrf_token(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    body = json.dumps({"inputs": [ZERO]})
    for content_type in ("application/json", "multipart/form-data; boundary=x", "text/plain"):
        response = client.post(URL, body, content_type=content_type)
        assert response.status_code in {400, 403}
        assert isinstance(response.json()["error"], str)


def test_requests_count_against_the_limit(settings: LazySettings) -> None:
    settings.RATE_LIMIT_ANONYMOUS = 1
    limiter.cache_clear()
    answers = [ask(body={"inputs": [ZERO]}) for _ in range(2)]
    limiter.cache_clear()
    assert [status for status, _ in answers] == [200, 429]
    assert answers[1][1] == {"error": "Too many requests. Wait a moment, then try again."}


@pytest.mark.parametrize("binary_outputs", [False, True])
@pytest.mark.parametrize("of", ["FP32", "UINT8", "BYTES"])
def test_tensors_may_follow_the_json_as_bytes(of: str, binary_outputs: bool, png: Png) -> None:
    raw = {"FP32": X.tobytes(), "UINT8": GREYS.tobytes()}.get(of)
    shape = [20, 28, 28, 1]
    if raw is None:
        raw, shape = b"".join(struct.pack("<I", len(p)) + p for p in [png("7"), png("8")]), [2]
    sent = {
        "name": "x",
        "datatype": of,
        "shape": shape,
        "parameters": {"binary_data_size": len(raw)},
    }
    body = {"inputs": [sent], "parameters": {"binary_data_output": binary_outputs}}
    head = json.dumps(body).encode()
    response: Any = Client().generic(
        "POST", URL, head + raw, headers={"Inference-Header-Content-Length": str(len(head))}
    )
    assert response.status_code == 200, response.content
    length = int(response.get("Inference-Header-Content-Length", len(response.content)))
    assert (length < len(response.content)) == binary_outputs
    outputs = json.loads(response.content[:length])["outputs"]
    rest = response.content[length:]
    found = {}
    for output in outputs:
        size = output.get("parameters", {}).get("binary_data_size", 0)
        found[output["name"]], rest = output.get("data", rest[:size]), rest[size:]
    assert rest == b""
    if of == "BYTES":
        texts = b"\1\0\0\x007\1\0\0\x008" if binary_outputs else ["7", "8"]
        assert found["text"] == texts
    else:
        digits = found["digit"]
        if binary_outputs:
            digits = np.frombuffer(digits, "<i8")
        assert np.mean(digits == DRAWN.labels) > 0.9


def test_any_registered_version_answers(tmp_path: Path) -> None:
    network = constant_network(4)
    versions.add(write_model(tmp_path / "1", network=network))
    status, answer = ask("/v2/models/digits")
    assert (status, answer["versions"]) == (200, ["1", "0"])
    answer = infer(tensor(X), path="/v2/models/digits/versions/1/infer")
    assert (answer["model_version"], set(answer["outputs"]["digit"]["data"])) == ("1", {4})
    answer = infer(tensor(X), path="/v2/models/digits/versions/0/infer/")
    assert (answer["model_version"], len(set(answer["outputs"]["digit"]["data"]))) == ("0", 10)
    assert ask("/v2/models/digits/versions/1/ready") == (200, {"name": "digits", "ready": True})


def test_the_server_and_its_model_describe_themselves() -> None:
    for path in ("/v2", "/v2/"):
        status, answer = ask(path)
        assert (status, answer["name"]) == (200, "mnistsite")
        assert answer["extensions"] == ["binary_tensor_data"]
    assert ask("/v2/health/live") == (200, {"live": True})
    status, answer = ask("/v2/models/digits/versions/0")
    assert (status, answer["name"], answer["versions"]) == (200, "digits", ["0"])
    assert answer["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 28, 28, 1]}]
    assert [each["name"] for each in answer["outputs"]] == ["digit", "confidence", "probabilities"]


def changed(**parts: Any) -> dict[str, Any]:
    return {"inputs": [{**ZERO, **parts}]}


BAD: list[tuple[int, Any]] = [
    (400, b""),
    (400, b"\xff\xfe"),
    (400, b"[" * 100_000),
    (400, []),
    (400, {}),
    (400, {"inputs": []}),
    (400, {"inputs": [ZERO, ZERO]}),
    (400, {"inputs": [7]}),
    (400, {"inputs": [{"name": "x"}]}),
    (400, changed(datatype="FP16")),
    (400, changed(datatype=["FP32"])),
    (400, changed(shape=None)),
    (400, changed(shape=[-1, 28, 28, 1])),
    (400, changed(shape=[True, 28, 28, 1])),
    (400, changed(shape=[10**30, 28, 28, 1])),
    (400, changed(shape=[1, 1, 28, 28])),
    (400, changed(shape=[2, 28, 28, 1])),
    (400, changed(shape=[0, 28, 28, 1], data=[])),
    (400, changed(shape=[MAX_TENSORS + 1, 28, 28, 1], data=[0])),
    (400, changed(data=None)),
    (400, changed(data="seven")),
    (400, changed(data={"0": 1})),
    (400, changed(data=[[0] * 783, [0]])),
    (400, changed(data=[-1] * 784)),
    (400, changed(data=[0.5] * 784)),
    (400, changed(data=[256] * 784)),
    (400, changed(data=[None] * 784)),
    (400, changed(data=[10**400] * 784)),
    (400, changed(data=["x"] * 784)),
    (413, changed(data=[0] * 300_000)),
    (400, changed(parameters=[1])),
    (400, changed(parameters={"binary_data_size": 784})),
    (400, changed(parameters={"binary_data_size": -1})),
    (400, changed(parameters={"binary_data_size": "784"})),
    (400, {"inputs": [ZERO], "outputs": [{"name": "nothing"}]}),
    (400, {"inputs": [ZERO], "outputs": [{"name": ["digit"]}]}),
    (400, {"inputs": [ZERO], "outputs": {"name": "digit"}}),
    (400, {"inputs": [ZERO], "parameters": 7}),
    (400, {"inputs": [ZERO], "parameters": {"store": "yes"}}),
    (400, {"inputs": [ZERO], "parameters": {"store": True}}),
    (400, {"inputs": [tensor(["no base64!"], "BYTES", [1])]}),
    (400, {"inputs": [tensor([7], "BYTES", [1])]}),
    (400, {"inputs": [tensor([""], "BYTES", [1])]}),
    (400, {"inputs": [tensor([""], "BYTES", [2])]}),
    (400, {"inputs": [tensor([""] * (MAX_PICTURES + 1), "BYTES", [MAX_PICTURES + 1])]}),
    (415, {"inputs": [files(b"just some words")]}),
    (400, {"inputs": [ZERO], "outputs": [{"name": "digit"}] * 5_000}),
    (413, {"inputs": [tensor([[]] * 500_000)]}),
    (400, {"inputs": [ZERO], "id": "x" * 257}),
    (400, {"inputs": [ZERO], "id": ["x"] * 1_000}),
]


@pytest.mark.parametrize(("status", "body"), BAD)
def test_what_cannot_be_answered_is_refused_in_words(status: int, body: Any) -> None:
    found, answer = ask(body=body)
    assert (found, list(answer)) == (status, ["error"]), answer
    assert answer["error"].endswith(".")
    assert kept() == 0


@pytest.mark.parametrize("length", ["-1", "x", "9" * 30, "1000000", "3", "0"])
def test_a_wrong_length_of_the_json_is_refused(length: str) -> None:
    head = {"HTTP_INFERENCE_HEADER_CONTENT_LENGTH": length}
    status, answer = ask(body={"inputs": [ZERO]}, **head)
    assert (status, list(answer)) == (400, ["error"])


@pytest.mark.parametrize(
    "data", [b"\0", b"\5\0\0\0abc", b"\xff\xff\xff\xff", b"\1\0\0\0a" * (MAX_PICTURES + 1), b""]
)
def test_bytes_that_do_not_fit_their_lengths_are_refused(data: bytes) -> None:
    sent = {"name": "x", "datatype": "BYTES", "shape": [1]}
    head = json.dumps({"inputs": [{**sent, "parameters": {"binary_data_size": len(data)}}]})
    status, answer = ask(
        body=head.encode() + data, HTTP_INFERENCE_HEADER_CONTENT_LENGTH=str(len(head))
    )
    assert (status, list(answer)) == (400, ["error"])


@pytest.mark.parametrize(
    ("status", "path"),
    [
        (404, "/v2/models/other"),
        (404, "/v2/models/other/infer"),
        (404, "/v2/models/digits/versions/7"),
        (404, "/v2/models/digits/versions/x/ready"),
        (404, "/v2/models/digits/versions/99999999999999999999/ready"),
        (404, "/v2/nowhere"),
        (405, URL),
    ],
)
def test_urls_that_lead_nowhere_are_refused_in_the_protocol_s_shape(status: int, path: str) -> None:
    body: Any = {} if path.endswith("other/infer") else None
    found, answer = ask(path, body)
    assert (found, type(answer["error"])) == (status, str)


def test_too_long_and_compressed_bodies_are_refused(settings: LazySettings) -> None:
    status, answer = ask(body={"inputs": [ZERO]}, HTTP_CONTENT_ENCODING="gzip")
    assert (status, list(answer)) == (415, ["error"])
    settings.MAX_BODY_BYTES = 100
    status, answer = ask(body={"inputs": [ZERO]})
    assert (status, type(answer["error"])) == (413, str)


def test_the_files_of_a_request_have_a_limit_together(
    png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "MAX_REQUEST_MS", 0.01)
    status, answer = ask(
        URL, {"inputs": [files(png("7"), png("3"))], "parameters": {"store": True}}
    )
    assert (status, "File 2 of 2" in answer["error"]) == (413, True), answer
    assert get_store().latest().records == []
