"""TensorFlow Serving's REST API: https://www.tensorflow.org/tfx/serving/api_rest."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from predictions.protocols import rows
from predictions.protocols.inference import (
    MODEL,
    ProtocolView,
    active_number,
    answer,
    check_model,
    parse_body,
    version_number,
    wants_store,
)
from predictions.protocols.open_inference import INPUTS, OUTPUTS
from predictions.protocols.tensors import (
    BadTensor,
    Input,
    Outputs,
    files_from_json,
    glyphs_from_json,
    to_list,
)
from predictions.registry import versions

SIGNATURE = "serving_default"
loads = partial(rows.loads, names=("instances", "inputs"))
DATATYPES = {"FP32": "DT_FLOAT", "INT64": "DT_INT64"}
OK = {"error_code": "OK", "error_message": ""}


class Models(ProtocolView):
    """The models, as KServe lists them."""

    def get(self, request: Request) -> Response:
        return Response({"models": [MODEL]})


class Status(ProtocolView):
    """The state of a version, or of all; KServe reads `ready`."""

    def get(self, request: Request, model: str, version: str | None = None) -> Response:
        check_model(model)
        numbers = versions.numbers() if version is None else [_named(version) or active_number()]
        states = [
            {"version": str(number), "state": "AVAILABLE", "status": OK} for number in numbers
        ]
        return Response({"model_version_status": states, "name": MODEL, "ready": True})


class Metadata(ProtocolView):
    def get(self, request: Request, model: str, version: str | None = None) -> Response:
        check_model(model)
        number = _named(version)
        number = active_number() if number is None else number
        signature = {
            "inputs": {tensor["name"]: _described(tensor) for tensor in INPUTS},
            "outputs": {tensor["name"]: _described(tensor) for tensor in OUTPUTS},
            "method_name": "tensorflow/serving/predict",
        }
        return Response(
            {
                "model_spec": {"name": MODEL, "signature_name": "", "version": str(number)},
                "metadata": {"signature_def": {"signature_def": {SIGNATURE: signature}}},
            }
        )


class Predict(ProtocolView):
    def post(self, request: Request, model: str, version: str | None = None) -> Response:
        check_model(model)
        number = _named(version)
        content = parse_body(request, loads).content
        store = wants_store(request, content)
        if content.get("signature_name", SIGNATURE) != SIGNATURE:
            raise BadTensor(_("The only signature is “%(name)s”.") % {"name": SIGNATURE})
        by_row = "instances" in content
        if by_row == ("inputs" in content):
            raise BadTensor(_("The body has either “instances” or “inputs”."))
        data = _by_column(content["instances"]) if by_row else _of_one_name(content["inputs"])
        outputs, _number = answer(request, _input(data), model_version=number, store=store)
        if by_row:
            return Response({"predictions": _by_row(outputs)})
        return Response({"outputs": {name: to_list(values) for name, values in outputs.items()}})


def _named(version: str | None) -> int | None:
    """Return the number of a version; 0 means the active one, as ovmsclient has it."""
    return version_number(version) or None


def _described(tensor: Mapping[str, Any]) -> dict[str, Any]:
    sizes = [{"size": str(size), "name": ""} for size in tensor["shape"]]
    return {
        "dtype": DATATYPES[tensor["datatype"]],
        "tensor_shape": {"dim": sizes, "unknown_rank": False},
        "name": tensor["name"],
    }


def _by_column(instances: Any) -> Any:
    if isinstance(instances, np.ndarray):
        return instances
    if not isinstance(instances, list):
        raise BadTensor(_("“instances” is a list."))
    return [_of_one_name(instance) for instance in instances]


def _of_one_name(data: Any) -> Any:
    """Return the value of the one input, under any name or none."""
    if isinstance(data, dict) and "b64" not in data:
        if len(data) != 1:
            raise BadTensor(_("The model has one input, and this request names several or none."))
        (data,) = data.values()
    return data


def _input(data: Any) -> Input:
    files = data if isinstance(data, list) else [data]
    if files and all(isinstance(file, dict) for file in files):
        return Input(files=files_from_json([file.get("b64") for file in files]))
    return Input(glyphs_from_json(data))


def _by_row(outputs: Outputs) -> list[dict[str, Any]]:
    columns = [to_list(values) for values in outputs.values()]
    return [dict(zip(outputs, row, strict=True)) for row in zip(*columns, strict=True)]
