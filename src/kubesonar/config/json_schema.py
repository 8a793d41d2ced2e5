"""The JSON schema of a configuration file, with which Helm refuses a misspelt key before anything is installed."""

from __future__ import annotations

from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from kubesonar.config.schema import description_of, is_duration, metas, plain_type, section_of
from kubesonar.config.values import choices, element, is_list, is_union

_SCALARS = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", NoneType: "null"}
_KEYWORDS = {
    "ge": "minimum",
    "le": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
}
_DURATION = {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"}


def json_schema(struct: type[msgspec.Struct], *, blank: bool = True) -> dict[str, Any]:
    """Return the schema (JSON Schema draft 7) of a mapping that sets options of `struct`. With `blank` it lies over
    defaults: no key is required, and null stands for a value that is not given. Entries of a list stand alone."""
    properties = {}
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        kind = hints[field.name]
        said = description_of(kind)
        schema = _nullable(_of(kind, blank)) if blank else _of(kind, blank)
        properties[field.encode_name] = {**({"description": said} if said else {}), **schema}
    required = [field.encode_name for field in msgspec.structs.fields(struct) if field.required and not blank]
    found = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**found, "required": required} if required else found


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    return {**schema, "type": [schema["type"], "null"]}


def _of(kind: Any, blank: bool) -> dict[str, Any]:
    bare = plain_type(kind)
    if (section := section_of(kind)) is not None:
        return json_schema(section, blank=blank)
    if (words := choices(bare)) is not None:
        return {"enum": words}
    if is_duration(kind):
        return {"anyOf": [{"type": "number", **_limits(kind)}, _DURATION]}
    if is_list(kind):
        limits = {key.replace("Length", "Items"): limit for key, limit in _limits(kind).items()}
        return {"type": "array", "items": _of(element(kind), False), **limits}
    if is_union(kind):
        return {"anyOf": [_of(arm, blank) for arm in get_args(bare)]}
    return {"type": _SCALARS[get_origin(bare) or bare], **_limits(kind)}


def _limits(kind: Any) -> dict[str, Any]:
    """Return the constraints of a type. In Go's expressions, which Helm uses, `$` is the end of the text."""
    found: dict[str, Any] = {}
    for meta in metas(kind):
        for name, keyword in _KEYWORDS.items():
            limit = getattr(meta, name)
            if limit is not None:
                found[keyword] = limit.replace(r"\Z", "$") if name == "pattern" else limit
    return found
