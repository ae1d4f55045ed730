"""The schemas of a version's JSON: what pages and the API show of it, and what reading needs.

One manifest is of the digit network, one of what reads pages; the judgement is weights. Each may
hold more. Nothing of them reaches the database, a page or the API unchecked.
"""

import json
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from ml.digits import DIGITS
from ml.model.classifier import MANIFEST_FORMAT, NETWORK_FILE
from ml.reading.evidence import FEATURES
from ml.reading.judgement import READING_FEATURES

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

MAX_BYTES = 1_000_000
MAX_DEPTH = 16
MAX_NUMBER = 2**53  # what JSON carries exactly
MAX_MESSAGE = 200
# Fitted temperatures are near 1; far from it, every reading is certain or none.
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.1, 10
# Of a judgement: far from what is fitted, and sums of products are still finite.
MAX_WEIGHT, MIN_SCALE = 1e6, 1e-6

_COUNT = {"type": "integer", "minimum": 0}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_SCALAR = {"type": ["string", "number", "boolean", "null"]}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
    }


def _values(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": schema}


def _array(items: dict[str, Any], length: int | None = None) -> dict[str, Any]:
    bounds = {"maxItems": 1000} if length is None else {"minItems": length, "maxItems": length}
    return {"type": "array", "items": items, **bounds}


_SHARES = _array({"anyOf": [_SHARE, {"type": "null"}]})
_FILE = _object({"sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}})
_SIDE = _object({}, count=_COUNT, writers={"type": ["integer", "null"], "minimum": 0})
_ARGUMENTS = _values({"anyOf": [_SCALAR, _array(_SCALAR)]})
_DATA = _object(
    {},
    extra=_values(_object({"count": _COUNT}, weight={"type": "number"}, left_out=_COUNT)),
    split=_object({}, training=_SIDE, validation=_SIDE),
)
# How a part of the page reader was made; null where that is not known.
_PART = {
    "anyOf": [
        {"type": "null"},
        _object(
            {},
            arguments=_ARGUMENTS,
            weights=_COUNT,
            data=_DATA,
            metrics=_object({}, validation=_values({"type": "number"})),
            digit_network=_FILE["properties"]["sha256"],
            created_at={"type": "string"},
        ),
    ]
}
_PAGE_READER = _object(
    {"format": {"const": MANIFEST_FORMAT}, "files": _values(_FILE)},
    finder=_PART,
    lines=_PART,
    judgement=_PART,
)
_WEIGHT = {"type": "number", "minimum": -MAX_WEIGHT, "maximum": MAX_WEIGHT}
_WEIGHTS = _array(_WEIGHT)


def _perceptron(inputs: int) -> dict[str, Any]:
    return _object(
        {
            "mean": _array(_WEIGHT, inputs),
            "scale": _array(_WEIGHT | {"minimum": MIN_SCALE}, inputs),
            "hidden": _array(_WEIGHTS, inputs),
            "hidden_bias": _WEIGHTS,
            "out": _WEIGHTS,
            "out_bias": _WEIGHT,
        }
    )


_JUDGEMENT = _object(
    {
        "is_digit": _perceptron(FEATURES),
        "reading": _perceptron(READING_FEATURES),
        "pool": _array(_WEIGHT, 3),
    }
)
_MANIFEST = _object(
    {
        "format": {"const": MANIFEST_FORMAT},
        "architecture": {"type": "string", "minLength": 1, "maxLength": 64},
        "temperature": {
            "type": "number",
            "minimum": MIN_TEMPERATURE,
            "maximum": MAX_TEMPERATURE,
        },
        "files": _values(_FILE) | {"required": [NETWORK_FILE]},
        "metrics": _object(
            {
                "validation": _object(
                    {
                        "count": _COUNT,
                        "accuracy": _SHARE,
                        "confusion_matrix": _array(_array(_COUNT, DIGITS), DIGITS),
                    },
                    expected_calibration_error=_SHARE,
                    calibration=_object(
                        {"counts": _array(_COUNT), "confidences": _SHARES, "accuracies": _SHARES}
                    ),
                )
            }
        ),
    },
    weights=_COUNT,
    arguments=_ARGUMENTS,
    data=_DATA,
    evaluation_set=_object({"fingerprint": {"type": "string", "maxLength": 64}}),
    created_at={"type": "string"},
)
SCHEMAS = {"manifest": _MANIFEST, "page reader": _PAGE_READER, "judgement": _JUDGEMENT}


@cache
def _validator(name: str = "manifest") -> "Draft202012Validator":
    # Imported late: the library takes 6 MB, and few workers ever check a manifest.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(SCHEMAS[name])


def parse(content: bytes) -> dict[str, Any]:
    """Return a manifest.

    Raises
    ------
    ValueError
        If it is not one; the message says why.
    """
    manifest = _load(content)
    problem = problem_of(manifest)
    if problem is not None:
        raise ValueError(problem)
    return dict(manifest)


def parse_page_reader(content: bytes) -> dict[str, Any]:
    """Return the manifest of what reads pages.

    Raises
    ------
    ValueError
        If it is not one; the message says why.
    """
    manifest = _load(content)
    problem = _problem_of(manifest, _validator("page reader"))
    if problem is not None:
        raise ValueError(problem)
    return dict(manifest)


def parse_judgement(content: bytes) -> dict[str, Any]:
    """Return the weights of a judgement.

    Raises
    ------
    ValueError
        If they are none, or do not fit together; the message says why.
    """
    judgement = _load(content)
    problem = _problem_of(judgement, _validator("judgement"))
    if problem is not None:
        raise ValueError(problem)
    for name in ("is_digit", "reading"):
        weights = judgement[name]
        columns = chain(weights["hidden"], (weights["hidden_bias"], weights["out"]))
        if len(set(map(len, columns))) > 1:
            raise ValueError(f"$.{name}: its lists differ in length")
    return dict(judgement)


def problem_of(manifest: Any) -> str | None:
    """Return why a value is not a manifest, or None if it is one."""
    problem = _problem_of(manifest, _validator())
    if problem is not None:
        return problem
    calibration = manifest["metrics"]["validation"].get("calibration")
    return None if calibration is None else _problem_of_calibration(**calibration)


def _problem_of(value: Any, validator: "Draft202012Validator") -> str | None:
    problem = _problem_of_values(value)
    if problem is not None:
        return problem
    for error in validator.iter_errors(value):
        return f"{error.json_path}: {error.message[:MAX_MESSAGE]}"
    return None


def _load(content: bytes) -> Any:
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    try:
        return json.loads(content.decode(), parse_constant=_refuse_constant)
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error})"[:MAX_MESSAGE]) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _problem_of_values(manifest: Any) -> str | None:
    """Find what JSON libraries and databases disagree about, without recursion."""
    waiting = [(manifest, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > MAX_DEPTH:
            return "it is nested too deeply"
        if isinstance(value, dict):
            waiting += [(inner, depth + 1) for item in value.items() for inner in item]
        elif isinstance(value, list):
            waiting += [(inner, depth + 1) for inner in value]
        elif isinstance(value, str) and not _is_storable(value):
            return "it holds a text that is not valid Unicode"
        elif isinstance(value, float | int) and not -MAX_NUMBER <= value <= MAX_NUMBER:
            return "it holds a number that is too large"
    return None


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return "\0" not in text  # PostgreSQL takes none


def _problem_of_calibration(
    counts: list[int],
    confidences: list[float | None],
    accuracies: list[float | None],
    **_: Any,
) -> str | None:
    if not len(counts) == len(confidences) == len(accuracies):
        return "$.metrics.validation.calibration: its lists differ in length"
    rows = zip(counts, confidences, accuracies, strict=True)
    if any(count and None in values for count, *values in rows):
        return "$.metrics.validation.calibration: a bin with digits has no value"
    return None
