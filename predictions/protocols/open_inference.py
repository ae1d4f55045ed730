"""Open Inference Protocol v2 over HTTP, with the extension of tensors as bytes.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from collections.abc import Mapping
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import gettext as _
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from ml.digits import DIGITS, SIDE
from ml.errors import ModelError
from predictions.core.errors import StoreUnavailable
from predictions.protocols.inference import (
    MODEL,
    Body,
    ProtocolView,
    answer,
    check_model,
    parse_body,
    version_number,
    wants_store,
)
from predictions.protocols.tensors import (
    BYTES,
    NUMBERS,
    BadTensor,
    Input,
    Outputs,
    Values,
    check_shape,
    datatype_of,
    files_from_bytes,
    files_from_json,
    glyphs_from_bytes,
    glyphs_from_json,
    shape_of,
    to_bytes,
    to_list,
)
from predictions.recognition.active_reader import get_reader
from predictions.registry import versions
from predictions.stores.missing import problem_of_store

MAX_ID_LENGTH = 256
BINARY = "binary_tensor_data"  # the extension's name
INPUTS = [{"name": "x", "datatype": "FP32", "shape": [-1, SIDE, SIDE, 1]}]
OUTPUTS = [
    {"name": "digit", "datatype": "INT64", "shape": [-1]},
    {"name": "confidence", "datatype": "FP32", "shape": [-1]},
    {"name": "probabilities", "datatype": "FP32", "shape": [-1, DIGITS]},
]


class Server(ProtocolView):
    def get(self, request: Request) -> Response:
        return Response({"name": "mnistsite", "version": settings.VERSION, "extensions": [BINARY]})


class Live(ProtocolView):
    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        return Response({"live": True})


class Ready(ProtocolView):
    """Tells what /readyz tells of the model and the store; the specification reads `live`."""

    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        try:
            get_reader()
            is_ready = problem_of_store() is None
        except (ModelError, StoreUnavailable):
            is_ready = False
        return Response({"live": True, "ready": is_ready}, status=200 if is_ready else 503)


class Model(ProtocolView):
    def get(self, request: Request, model: str, version: str | None = None) -> Response:
        check_model(model)
        number = version_number(version)
        numbers = versions.numbers() if number is None else [number]
        return Response(
            {
                "name": MODEL,
                "versions": [str(number) for number in numbers],
                "platform": "litert_tflite",
                "inputs": INPUTS,
                "outputs": OUTPUTS,
            }
        )


class ModelReady(ProtocolView):
    def get(self, request: Request, model: str, version: str | None = None) -> Response:
        check_model(model)
        number = version_number(version)
        ready = number is None or versions.get(number).problem is None
        return Response({"name": MODEL, "ready": ready}, status=200 if ready else 503)


class Infer(ProtocolView):
    def post(self, request: Request, model: str, version: str | None = None) -> HttpResponse:
        check_model(model)
        number = version_number(version)
        body = parse_body(request)
        head = _id_of(body.content)
        store = wants_store(request, body.content)
        outputs, number = answer(request, _input(body), model_version=number, store=store)
        head |= {"model_name": MODEL, "model_version": str(number)}
        return _respond(head, outputs, body.content)


def _id_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a request says to be answered with, if anything."""
    if "id" not in content:
        return {}
    if not isinstance(content["id"], str) or len(content["id"]) > MAX_ID_LENGTH:
        message = _("“id” is a text of at most %(most)s characters.")
        raise BadTensor(message % {"most": MAX_ID_LENGTH})
    return {"id": content["id"]}


def _input(body: Body) -> Input:
    """Return what the one input of a request holds, under any name."""
    inputs = body.content.get("inputs")
    if not (isinstance(inputs, list) and len(inputs) == 1 and isinstance(inputs[0], dict)):
        raise BadTensor(_("“inputs” is a list of one tensor."))
    (tensor,) = inputs
    datatype, shape = tensor.get("datatype"), check_shape(tensor.get("shape"))
    if datatype not in (*NUMBERS, BYTES):
        raise BadTensor(_("The datatype of a tensor is FP32, UINT8 or BYTES."))
    size = _parameters(tensor).get("binary_data_size")
    if (size is None) == ("data" not in tensor) or (size or 0) != len(body.binary):
        raise BadTensor(
            _("A tensor has “data”, or its “binary_data_size” is that of the bytes after the JSON.")
        )
    if datatype != BYTES:
        if size is None:
            return Input(glyphs_from_json(tensor["data"], shape, datatype))
        return Input(glyphs_from_bytes(body.binary, shape, datatype))
    files = files_from_json(tensor["data"]) if size is None else files_from_bytes(body.binary)
    if shape not in ([len(files)], [len(files), 1]):
        raise BadTensor(
            _("A BYTES tensor of %(count)s files has the shape [%(count)s].")
            % {"count": len(files)}
        )
    return Input(files=files)


def _respond(head: dict[str, Any], outputs: Outputs, content: Mapping[str, Any]) -> HttpResponse:
    """Respond with the outputs that the request names, or all, each as JSON or as bytes."""
    as_bytes = bool(_parameters(content).get("binary_data_output", False))
    asked = content.get("outputs") or [{"name": name} for name in outputs]
    if not (isinstance(asked, list) and all(isinstance(output, dict) for output in asked)):
        raise BadTensor(_("“outputs” is a list of objects."))
    tensors, binary = [], []
    left = set(outputs)
    for output in asked:
        name = output.get("name")
        if not isinstance(name, str) or name not in left:
            message = _("There is no such output, or it is named twice. These are: %(names)s.")
            raise BadTensor(message % {"names": ", ".join(outputs)})
        left.remove(name)
        tensor, data = _tensor(
            name, outputs[name], as_bytes=_parameters(output).get("binary_data", as_bytes)
        )
        tensors.append(tensor)
        binary.append(data)
    sent = orjson.dumps({**head, "outputs": tensors})
    if not any(binary):
        return HttpResponse(sent, content_type="application/json")
    return HttpResponse(
        sent + b"".join(binary),
        content_type="application/octet-stream",
        headers={"Inference-Header-Content-Length": str(len(sent))},
    )


def _tensor(name: str, values: Values, *, as_bytes: bool) -> tuple[dict[str, Any], bytes]:
    tensor = {"name": name, "shape": shape_of(values), "datatype": datatype_of(values)}
    if not as_bytes:
        return {**tensor, "data": to_list(values, flat=True)}, b""
    data = to_bytes(values)
    return {**tensor, "parameters": {"binary_data_size": len(data)}}, data


def _parameters(thing: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = thing.get("parameters", {})
    if not isinstance(parameters, dict):
        raise BadTensor(_("“parameters” is an object."))
    return parameters
