"""TensorFlow Serving's REST API: rows and columns, versions, and every kind of error."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from predictions.protocols import rows
from predictions.registry import versions
from predictions.stores import get_store
from tests.support.digits import draw_digits
from tests.support.networks import constant_network, write_model

pytestmark = pytest.mark.django_db
Png = Callable[..., bytes]
URL = "/v1/models/digits"
DRAWN = draw_digits(10)
X = (DRAWN.images[..., np.newaxis] / 255).tolist()
ZERO = np.zeros((28, 28, 1)).tolist()


def ask(path: str, body: Any = None) -> tuple[int, Any]:
    """GET, or POST a body as a form, as `curl -d` says of it."""
    client = Client()
    if body is None:
        response = client.get(path)
    else:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = client.generic("POST", path, sent, "application/x-www-form-urlencoded")
    assert response["Content-Type"] == "application/json"
    return response.status_code, response.json()


def b64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}


@pytest.mark.parametrize(
    "instances", [X, [{"x": each} for each in X], (255 * np.array(X)).round().tolist()]
)
def test_rows_are_answered_by_rows(instances: list[Any]) -> None:
    status, answer = ask(f"{URL}:predict", {"instances": instances})
    assert (status, list(answer)) == (200, ["predictions"]), answer
    digits = [row["digit"] for row in answer["predictions"]]
    assert np.mean(np.array(digits) == DRAWN.labels) > 0.8
    for row in answer["predictions"]:
        assert np.argmax(row["probabilities"]) == row["digit"]
        assert 0 <= row["confidence"] <= 1


@pytest.mark.parametrize("inputs", [X, {"x": X}])
def test_columns_are_answered_by_columns(inputs: Any) -> None:
    body = {"inputs": inputs, "signature_name": "serving_default"}
    status, answer = ask(f"{URL}:predict", body)
    assert (status, list(answer)) == (200, ["outputs"])
    assert np.shape(answer["outputs"]["digit"]) == (10,)
    assert np.shape(answer["outputs"]["probabilities"]) == (10, 10)


def test_pictures_come_as_b64(png: Png) -> None:
    sent = [b64(png("7")), b64(png("35", size=300))]
    for instances in (sent, [{"image": each} for each in sent]):
        status, answer = ask(f"{URL}:predict", {"instances": instances})
        assert (status, [row["text"] for row in answer["predictions"]]) == (200, ["7", "35"])
    for inputs in (sent, {"image": sent}, {"image": sent[0]}):
        status, answer = ask(f"{URL}:predict", {"inputs": inputs})
        assert (status, answer["outputs"]["text"][0]) == (200, "7")
    assert get_store().latest().records == []
    ask(f"{URL}:predict", {"inputs": sent, "parameters": {"store": True}})
    assert len(get_store().latest().records) == 2


def test_versions_are_answered_and_0_is_the_active_one(tmp_path: Path) -> None:
    versions.add(write_model(tmp_path / "1", network=constant_network(4)))
    status, answer = ask(f"{URL}/versions/1:predict", {"instances": [ZERO]})
    assert (status, answer["predictions"][0]["digit"]) == (200, 4)
    status, answer = ask(f"{URL}/versions/0:predict", {"inputs": X})
    assert (status, len(set(answer["outputs"]["digit"]))) == (200, 10)
    status, answer = ask(URL)
    told = [(each["version"], each["state"]) for each in answer["model_version_status"]]
    assert (status, told, answer["ready"]) == (200, [("1", "AVAILABLE"), ("0", "AVAILABLE")], True)
    for number, expected in (("0", "0"), ("1", "1")):
        (only,) = ask(f"{URL}/versions/{number}")[1]["model_version_status"]
        ok = {"error_code": "OK", "error_message": ""}
        assert only == {"version": expected, "state": "AVAILABLE", "status": ok}
        _, answer = ask(f"{URL}/versions/{number}/metadata")
        assert answer["model_spec"]["version"] == expected
    _, answer = ask(f"{URL}/metadata/")
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    sizes = [each["size"] for each in signature["inputs"]["x"]["tensor_shape"]["dim"]]
    assert (signature["inputs"]["x"]["dtype"], sizes) == ("DT_FLOAT", ["-1", "28", "28", "1"])
    assert ask("/v1/models") == (200, {"models": ["digits"]})


@pytest.mark.parametrize(
    ("status", "path", "body"),
    [
        (400, ":predict", {}),
        (400, ":predict", b"instances=1"),
        (400, ":predict", {"instances": [ZERO], "inputs": [ZERO]}),
        (400, ":predict", {"instances": []}),
        (400, ":predict", {"instances": ZERO}),
        (400, ":predict", {"instances": {"x": X}}),
        (400, ":predict", {"instances": [{"x": ZERO, "y": ZERO}]}),
        (400, ":predict", {"instances": [{}]}),
        (400, ":predict", {"instances": [ZERO, b64(b"x")]}),
        (400, ":predict", {"instances": [{"b64": "no base64!"}]}),
        (400, ":predict", {"instances": [{"b64": 7}]}),
        (400, ":predict", {"inputs": {}}),
        (400, ":predict", b'{"inputs": ' + b"[" * 900 + b"]" * 900 + b"}"),
        (400, ":predict", {"inputs": 7}),
        (400, ":predict", {"instances": [ZERO], "signature_name": "other"}),
        (400, ":predict", {"instances": [ZERO], "signature_name": ["other"]}),
        (415, ":predict", {"instances": [b64(b"just some words")]}),
        (404, "/versions/7:predict", {"instances": [ZERO]}),
        (404, "/versions/x", None),
        (404, "/labels/stable", None),
        (405, ":classify", {"examples": []}),
        (405, "", {}),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(status: int, path: str, body: Any) -> None:
    found, answer = ask(URL + path, body)
    assert (found, list(answer)) == (status, ["error"]), answer
    assert isinstance(answer["error"], str)
    assert len(answer["error"]) < 500


def test_another_model_is_unknown() -> None:
    for path in ("", "/metadata", "/versions/0"):
        status, answer = ask(f"/v1/models/mnist{path}")
        assert (status, "“digits”" in answer["error"]) == (404, True)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.sampled_from(
    [
        *("instances", "inputs", "outputs", "parameters", "store", "b64", "x", "name", "datatype"),
        *("shape", "data", "binary_data_size", "binary_data", "signature_name", "id"),
    ]
)
KNOWN = st.sampled_from(["FP32", "UINT8", "BYTES", [1, 28, 28, 1], [1], ZERO, [ZERO], ["QUJD"]])
BODIES = st.recursive(
    LEAVES | KNOWN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.dictionaries(KEYS, BODIES, min_size=1, max_size=4))
def test_no_body_is_answered_500(body: dict[str, Any], db: None) -> None:
    for path in (f"{URL}:predict", "/v2/models/digits/infer"):
        status, answer = ask(path, body)
        assert status == 200 or (400 <= status < 500 and isinstance(answer["error"], str))


NUMBERS = st.one_of(
    st.integers(-300, 300), st.floats(-1, 256), st.integers(10**18, 10**25), st.just(1e300)
)
# Between the sizes of lists that become arrays at once, and those that do not.
GLYPH_LISTS = st.tuples(st.sampled_from([27, 28, 29]), st.booleans(), NUMBERS).map(
    lambda drawn: [[[drawn[2]] if drawn[1] else drawn[2]] * drawn[0]] * 28
)


@given(
    instances=st.lists(GLYPH_LISTS, max_size=3),
    names=st.lists(st.sampled_from(["instances", "inputs", "x"]), min_size=1, max_size=2),
    cut=st.tuples(st.integers(0, 4000), st.sampled_from([b"", b",", b"[", b"]", b"1", b" ", b"x"])),
    dumps=st.sampled_from([json.dumps, lambda body: json.dumps(body, separators=(",", ":"))]),
)
def test_rows_are_parsed_as_json_is(
    instances: list[Any], names: list[str], cut: tuple[int, bytes], dumps: Callable[[Any], str]
) -> None:
    """The list that becomes an array has the shape and the numbers of the lists it was."""
    whole = dumps(dict.fromkeys(names, instances)).encode()
    at, instead = cut
    for body in (whole, whole[:at] + instead + whole[at + len(instead) :]):
        try:
            expected = orjson.loads(body)
        except orjson.JSONDecodeError:
            with pytest.raises(orjson.JSONDecodeError):
                rows.loads(body, ["instances", "inputs"])
            continue
        found = rows.loads(body, ["instances", "inputs"])
        assert list(found) == list(expected)
        for name, value in found.items():
            listed = value.tolist() if isinstance(value, np.ndarray) else value
            assert listed == expected[name]


@pytest.mark.parametrize("shape", [(2, 28, 28), (2, 28, 28, 1)])
def test_rows_of_glyphs_become_an_array(shape: tuple[int, ...]) -> None:
    numbers = np.arange(np.prod(shape)).reshape(shape)
    body = json.dumps({"signature_name": "[", "inputs": numbers.tolist(), "x": "]"})
    found = rows.loads(body.encode(), ["inputs"])["inputs"]
    assert isinstance(found, list)  # only where no text has a bracket
    (_, found) = rows.loads(
        json.dumps({"signature_name": "a", "inputs": numbers.tolist()}).encode(), ["inputs"]
    ).values()
    assert (found.dtype, found.tolist()) == (np.float64, numbers.tolist())
