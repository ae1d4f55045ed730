"""Values that a JSON schema of `predictions/registry/manifest.py` lets through."""

import math
from typing import Any

from hypothesis import strategies as st

MAX = 2**53
# All that a manifest may hold: no surrogates, and no character that PostgreSQL refuses.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
TIMES = st.sampled_from(["2026-11-28T10:00:00Z", "0001-01-01T00:00:00+14:00", "2026-02-30"])
SCALARS = st.none() | st.booleans() | st.integers(-MAX, MAX) | st.floats(-MAX, MAX) | TEXTS | TIMES
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)
OF_TYPE = {"null": st.none(), "boolean": st.booleans(), "string": TEXTS | TIMES}


def values_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for the values of a schema; objects hold what it does not name, too."""
    if "const" in schema:
        return st.just(schema["const"])
    if "anyOf" in schema:
        return st.one_of([values_of(each) for each in schema["anyOf"]])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([_values_of_type(kind, schema) for kind in kinds])


def _values_of_type(kind: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    least, most = schema.get("minimum", -MAX), schema.get("maximum", MAX)
    if kind == "integer":
        whole = st.integers(least, most)
        return whole | whole.map(float)  # to JSON Schema, 1.0 is an integer
    if kind == "number":
        return st.floats(least, most) | st.integers(math.ceil(least), math.floor(most))
    if kind == "array":
        items = values_of(schema["items"])
        bounds = {"min_size": schema.get("minItems", 0), "max_size": min(schema["maxItems"], 10)}
        return st.lists(items, **bounds)
    if kind == "object":
        return _objects(schema)
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True)
    bounds = {"min_size": schema.get("minLength", 0), "max_size": schema.get("maxLength", 20)}
    return st.text("aä\U0001f600<&\"'/ ", **bounds) if "minLength" in schema else OF_TYPE[kind]


def _objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    known = schema.get("properties", {})
    required = set(schema.get("required", ()))
    others = ANYTHING
    if "additionalProperties" in schema:
        others = values_of(schema["additionalProperties"])
    named = st.fixed_dictionaries(
        {name: values_of(known[name]) if name in known else others for name in sorted(required)},
        optional={name: values_of(known[name]) for name in sorted(set(known) - required)},
    )
    more = st.dictionaries(TEXTS.filter(lambda name: name not in known), others, max_size=3)
    return st.builds(lambda more, named: more | named, more, named)
