"""Clients of other model servers read digits here as they do there, on a real server."""

import base64
import importlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from tests.conftest import Server
from tests.support.api_client import send
from tests.support.digits import draw_digits

pytestmark = pytest.mark.server
Png = Callable[..., bytes]
DRAWN = draw_digits(20)
GREYS = DRAWN.images[..., np.newaxis]  # uint8 (20, 28, 28, 1)
X = (GREYS / 255).astype(np.float32)


def library(name: str) -> ModuleType:
    """Import a client; skip without it, unless CI needs it."""
    if os.environ.get("CI") == "true":
        return importlib.import_module(name)
    module: ModuleType = pytest.importorskip(name)
    return module


def are_right(digits: Any) -> bool:
    return bool(np.mean(np.asarray(digits).ravel() == DRAWN.labels) > 0.9)


@pytest.fixture
def triton(server: Server) -> Any:
    client = library("tritonclient.http").InferenceServerClient(urlsplit(server.url).netloc)
    yield client
    client.close()


def test_tritonclient_finds_the_model(triton: Any) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("digits")
    assert triton.is_model_ready("digits", "0")
    assert not triton.is_model_ready("other")
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = triton.get_model_metadata("digits")
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 28, 28, 1]}]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(("datatype", "tensor"), [("FP32", X), ("UINT8", GREYS)])
def test_tritonclient_reads_tensors(
    triton: Any, datatype: str, tensor: np.ndarray[Any, Any], binary: bool
) -> None:
    http = library("tritonclient.http")
    sent = http.InferInput("x", list(tensor.shape), datatype)
    sent.set_data_from_numpy(tensor, binary_data=binary)
    for outputs in (None, [http.InferRequestedOutput("digit", binary_data=binary)]):
        answer = triton.infer("digits", [sent], outputs=outputs, request_id="7")
        assert answer.get_response()["id"] == "7"
        assert are_right(answer.as_numpy("digit"))
    assert triton.infer("digits", [sent]).as_numpy("probabilities").shape == (20, 10)


@pytest.mark.parametrize("binary", [True, False])
def test_tritonclient_has_pictures_read_and_kept(
    triton: Any, server: Server, png: Png, binary: bool
) -> None:
    http = library("tritonclient.http")
    pictures = [png("7"), png("35", size=300)]
    files = [each if binary else base64.b64encode(each) for each in pictures]
    sent = http.InferInput("pictures", [2], "BYTES")
    sent.set_data_from_numpy(np.array(files, object), binary_data=binary)
    answer = triton.infer("digits", [sent], parameters={"store": True})
    assert answer.as_numpy("text").tolist() == [b"7", b"35"]
    kept = json.loads(answer.as_numpy("prediction")[1])
    found = send(kept["url"])
    assert (found.status, found.body["text"]) == (200, "35")


def test_tritonclient_says_why_it_was_refused(triton: Any) -> None:
    http = library("tritonclient.http")
    sent = http.InferInput("x", [1, 3], "FP32")
    sent.set_data_from_numpy(np.zeros((1, 3), np.float32))
    with pytest.raises(library("tritonclient.utils").InferenceServerException) as refused:
        triton.infer("digits", [sent])
    assert refused.value.status() == "400"
    assert refused.value.message().startswith("A tensor of digits has the shape")


def test_ovmsclient_reads_tensors_and_pictures(server: Server, png: Png) -> None:
    client = library("ovmsclient").make_http_client(urlsplit(server.url).netloc)
    assert client.get_model_status("digits")[0]["state"] == "AVAILABLE"
    assert client.get_model_metadata("digits")["model_spec"]["name"] == "digits"
    answer = client.predict({"x": X}, "digits")
    assert are_right(answer["digit"])
    assert answer["probabilities"].shape == (20, 10)
    assert client.predict({"picture": png("7")}, "digits")["text"].tolist() == ["7"]
    errors = library("ovmsclient.tfs_compat.base.errors")
    with pytest.raises(errors.InvalidInputError, match="A tensor of digits has the shape"):
        client.predict({"x": [[1.0, 2.0]]}, "digits")
    with pytest.raises(errors.ModelNotFoundError, match="There is no model version 7"):
        client.predict({"x": X}, "digits", model_version=7)


def curl(server: Server, *arguments: str) -> Any:
    """Run curl as TensorFlow Serving's documentation writes it, with this server's address."""
    command = [part.replace("http://localhost:8501", server.url) for part in arguments]
    finished = subprocess.run(["curl", "-sS", *command], capture_output=True, check=True)
    return json.loads(finished.stdout)


def test_the_curl_lines_of_tensorflow_serving_work(server: Server, tmp_path: Path) -> None:
    # https://www.tensorflow.org/tfx/serving/api_rest#example, with this model and its inputs.
    model = "http://localhost:8501/v1/models/digits"
    answer = curl(server, model)
    assert answer["model_version_status"][0]["state"] == "AVAILABLE"
    assert "signature_def" in curl(server, f"{model}/metadata")["metadata"]
    (tmp_path / "rows").write_text(json.dumps({"instances": X.tolist()}))
    answer = curl(server, "-d", f"@{tmp_path / 'rows'}", "-X", "POST", f"{model}:predict")
    assert are_right([row["digit"] for row in answer["predictions"]])
    answer = curl(server, "-d", '{"instances": [1.0, 2.0, 5.0]}', "-X", "POST", f"{model}:predict")
    assert answer["error"].startswith("A tensor of digits has the shape")
    answer = curl(server, "-d", '{"examples": []}', "-X", "POST", f"{model}:regress")
    assert isinstance(answer["error"], str)


def test_requests_as_kserve_s_client_sends_them(server: Server) -> None:
    """Its client needs older versions of what the site needs, so it cannot be installed beside."""
    (infer, predict) = (f"{server.url}/v2/models/digits/infer", f"{server.url}/v1/models/digits")
    json_type = {"Content-Type": "application/json"}
    tensor = {"name": "input-0", "shape": [20, 28, 28, 1], "datatype": "FP32"}
    body = {"id": "a", "model_name": "digits", "inputs": [{**tensor, "data": X.ravel().tolist()}]}
    answer = send(infer, json.dumps(body).encode(), **json_type).body
    assert (answer["id"], answer["model_name"]) == ("a", "digits")
    assert are_right(answer["outputs"][0]["data"])
    inputs = [{**tensor, "parameters": {"binary_data_size": X.nbytes}}]
    head = json.dumps({"model_name": "digits", "inputs": inputs}).encode()
    length = {"inference-header-content-length": str(len(head))}
    sent = head + X.tobytes()
    answer = send(infer, sent, **length, **{"Content-Type": "application/octet-stream"}).body
    assert are_right(answer["outputs"][0]["data"])
    rows = json.dumps({"instances": X.tolist()}).encode()
    answer = send(f"{predict}:predict", rows, **json_type).body
    assert are_right([row["digit"] for row in answer["predictions"]])
    assert send(predict).body["ready"] is True
    assert send(f"{server.url}/v2/health/ready").body["ready"] is True
