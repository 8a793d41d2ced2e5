"""Models drawn by templates: as HTML, as text, and as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kubesonar.core.encoding import format_json
from kubesonar.model import Health, clip, printable
from kubesonar.views.page.moments import Moment

PAGE_SCHEMA = 1
"""Version of the JSON of the page; raised when a reader of the version before could misread it."""

HEADLINES = {Health.GOOD: "Healthy", Health.BAD: "Sick", Health.UNKNOWN: "Cannot tell"}
"""The state of the network in a word or two."""

VIEWS = {
    "now": "Now",
    "map": "Map",
    "timeline": "Timeline",
    "nodes": "Nodes",
    "dns": "DNS",
    "targets": "Targets",
}
"""The views that every page leads to, by the name of their template, which is also their path."""

_LINE = 1000
"""Most characters of a value in text."""


class PageFrame(msgspec.Struct, frozen=True):
    """The frame around every view: its `title`, the name of its template, its address (path and query), how healthy the
    network is and the sentence, when that was judged and of how many members. `zone` names the time zone of all times,
    `sign_out` says whether there is something to sign out of."""

    title: str
    view: str
    address: str
    health: Health
    sentence: str
    at: Moment
    observers: int
    members: int
    zone: str
    sign_out: bool


class PageDocument(msgspec.Struct, frozen=True):
    """The JSON of a view: what its HTML shows."""

    schema: int
    view: str
    at: str | None
    health: Health
    sentence: str
    content: Any


class PageRenderer:
    """Draws models; `assets` is a word that changes when the style sheet or the script do, which browsers keep."""

    def __init__(self, assets: str) -> None:
        self._html = _environment(assets, _visible, escaped=True)
        self._text = _environment(assets, lambda value: value, escaped=False)

    def html(self, frame: PageFrame, model: msgspec.Struct) -> bytes:
        """Return the page with all that stands around the view."""
        return self._html.get_template(f"{frame.view}.html").render(frame=frame, model=model).encode(errors="replace")

    def text(self, frame: PageFrame, model: msgspec.Struct) -> bytes:
        """Return the view as text, to be pasted where people talk."""
        plain = {"frame": frame, "model": model}
        values = {name: _lines(msgspec.to_builtins(value)) for name, value in plain.items()}
        return self._text.get_template(f"{frame.view}.txt").render(**values).encode(errors="replace")

    def json(self, frame: PageFrame, model: msgspec.Struct) -> bytes:
        """Return the view as JSON."""
        document = PageDocument(PAGE_SCHEMA, frame.view, frame.at.stamp, frame.health, frame.sentence, model)
        return format_json(document)

    def message(self, name: str, **values: str) -> bytes:
        """Return a page without the frame: `sign_in`, or `notice` for an error."""
        return self._html.get_template(f"{name}.html").render(**values).encode(errors="replace")


def _environment(assets: str, finalize: Callable[[object], object], *, escaped: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("kubesonar.views.page"),
        autoescape=escaped,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        undefined=StrictUndefined,
    )
    environment.globals.update(assets=assets, views=VIEWS, headlines=HEADLINES)
    return environment


def _lines(tree: Any) -> Any:
    """Return plain data with each text on one line and without control characters: what comes from outside must not
    forge lines."""
    match tree:
        case str():
            return clip(tree, _LINE)
        case dict():
            return {key: _lines(below) for key, below in tree.items()}
        case list() | tuple():
            return [_lines(below) for below in tree]
        case _:
            return tree


def _visible(value: object) -> object:
    """Return text from outside with its control and bidirectional characters visible; they would change what a line
    seems to say."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
