"""The only place that decodes JSON and MessagePack, and that checks plain data against a type.

msgspec raises an exception of its own for most data that do not fit, but UnicodeDecodeError for text that is not UTF-8,
UnicodeEncodeError for lone surrogates, ValueError for a date in no year, and RecursionError for deep nesting. Here all
of these are one exception, so that nobody who reads foreign data needs to know them. tests/test_house.py finds decoding
elsewhere.
"""

from __future__ import annotations

from types import UnionType
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from kubesonar.model import clip

T = TypeVar("T")
_REFUSED = (ValueError, RecursionError)  # msgspec.DecodeError and the errors of Unicode are ValueErrors


class Undecodable(ValueError):
    """Data that do not fit. The text is a clause: what was expected and, where known, in which field."""


class TooDeep(Undecodable):
    """Data that are nested deeper than the interpreter follows."""

    def __init__(self) -> None:
        super().__init__("nested too deeply")


class MsgpackDecoder(Generic[T]):
    """Decodes MessagePack of one type, or of one of several."""

    def __init__(self, kind: type[T] | UnionType) -> None:
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)

    def decode(self, data: bytes | memoryview | msgspec.Raw) -> T:
        """Return the value. Raises Undecodable."""
        try:
            return self._decoder.decode(data)
        except _REFUSED as error:
            raise _undecodable(error) from None


class _Versioned(Protocol):
    @property
    def schema(self) -> int: ...


class _Head(msgspec.Struct):
    schema: int


Document = TypeVar("Document", bound=_Versioned)

_REASON = 160
"""Longest reason why data are no document, in characters. Shorter, and the field at fault is cut off; longer, and a
stranger fills the terminal."""


def decode_json(data: bytes | bytearray | memoryview | str | msgspec.Raw, kind: type[T]) -> T:
    """Return the JSON value in `data`, checked against `kind`. Raises Undecodable."""
    try:
        return msgspec.json.decode(data, type=kind)
    except _REFUSED as error:
        raise _undecodable(error) from None


def decode_document(body: bytes, kind: type[Document], schema: int, noun: str) -> Document | str:
    """Return the JSON document of that kind and `schema` (version) in `body`, or the reason why there is none, a clause
    that calls it a `noun`: that it is of another schema, or else what does not fit.

    Agents, collectors and replicas read by it what others of them say, all of which is a stranger's claim."""
    try:
        document = decode_json(body, kind)
        said = document.schema
        if said == schema:
            return document
    except Undecodable as error:
        reason = clip(str(error), _REASON)
        try:
            said = decode_json(body, _Head).schema
        except Undecodable:
            return f"this is no {noun}: {reason}"
        if said == schema:
            return f"the {noun} is malformed: {reason}"
    return f"version mismatch: the {noun} has schema {said}, expected {schema}"


def decode_without_nulls(data: bytes | memoryview | msgspec.Raw, kind: type[T]) -> T:
    """Return the JSON value in `data`, checked against `kind`, as Go reads it, which takes a null for a field that is
    not there. Slower than `decode_json`. Raises Undecodable."""
    try:
        return msgspec.convert(_without_nulls(msgspec.json.decode(data)), kind)
    except _REFUSED as error:
        raise _undecodable(error) from None


def _without_nulls(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without_nulls(value) for key, value in tree.items() if value is not None}
    return [_without_nulls(value) for value in tree] if isinstance(tree, list) else tree


def convert_plain(tree: object, kind: type[T], *, strict: bool = True) -> T:
    """Return plain data (dicts, lists, text, numbers) as a value of `kind`; unless `strict`, text may stand for numbers
    and booleans. Raises Undecodable."""
    try:
        return msgspec.convert(tree, kind, strict=strict)
    except _REFUSED as error:
        raise _undecodable(error) from None


def _undecodable(error: Exception) -> Undecodable:
    if isinstance(error, RecursionError):
        return TooDeep()
    if isinstance(error, UnicodeError):
        return Undecodable("text that is not UTF-8")
    return Undecodable(str(error))
