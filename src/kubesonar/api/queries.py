"""Fields of queries, and pages of what there are many of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from kubesonar.api.documents import API_SCHEMA
from kubesonar.api.openapi import QueryField
from kubesonar.core.decoding import Undecodable, convert_plain
from kubesonar.core.encoding import encode_json
from kubesonar.web import BadRequest, Reply, Request, error_reply

MOST_ITEMS = 1000
"""Most items of one page. More, and a reply of a large cluster takes megabytes and seconds."""


def text_field(expected: str) -> QueryField:
    """Return a field of up to 300 characters."""
    return QueryField(expected, {"type": "string", "maxLength": 300})


_LIMIT = QueryField(f"a whole number from 1 to {MOST_ITEMS}", {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS})
_AFTER = text_field("what `next` of the page before says")
PAGE_FIELDS = {"limit": _LIMIT, "after": _AFTER}
"""Fields of a list that is read page by page."""


def query_of(request: Request, **fields: QueryField) -> dict[str, Any]:
    """Return the fields of a query, each as its schema says. Raises BadRequest."""
    found: dict[str, Any] = dict(request.query({name: field.expected for name, field in fields.items()}))
    for name, text in found.items():
        found[name] = _value(name, text, fields[name])
    return found


def _value(name: str, text: str, field: QueryField) -> Any:
    schema = field.schema
    refusal = BadRequest(f'query field {name} is "{text[:40]}", expected {field.expected}')
    if schema["type"] == "string":
        if len(text) > schema.get("maxLength", 300) or text not in schema.get("enum", [text]):
            raise refusal
        return text
    try:
        number = convert_plain(text, int if schema["type"] == "integer" else float, strict=False)
    except Undecodable:
        raise refusal from None
    if not schema["minimum"] <= number <= schema["maximum"]:
        raise refusal
    return number


def page_of(
    items: Iterable[Any],
    query: dict[str, Any],
    key: Callable[[Any], str],
    page: Callable[..., Any],
    most: int = MOST_ITEMS,
) -> Reply:
    """Return one `page` of the items, `most` of them at most, and the key of its last one where there are more; 404 for
    an `after` that no item has."""
    after, limit = query.get("after"), query.get("limit", most)
    rest = iter(items)
    if after is not None and not any(key(item) == after for item in rest):
        return error_reply(404, "query field after: there is nothing by that key (any more), begin again without it")
    found = list(islice(rest, limit + 1))
    return Reply(
        encode_json(page(API_SCHEMA, tuple(found[:limit]), key(found[limit - 1]) if len(found) > limit else ""))
    )
