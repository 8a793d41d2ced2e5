"""The page's style sheet, script and icon."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files

from kubesonar.api.page.access import SECURITY_HEADERS
from kubesonar.web import Reply, Request, error_reply

_KINDS = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_KEPT = (b"cache-control", b"public, max-age=31536000, immutable")


class PageFiles:
    """The files, read once. `version` changes with them: it is part of their addresses, so that browsers may keep
    them."""

    def __init__(self) -> None:
        folder = files("kubesonar.views.page") / "static"
        self._files = {name: (folder / name).read_bytes() for name in _KINDS}
        self.version = sha256(b"".join(self._files.values())).hexdigest()[:12]

    async def get(self, request: Request) -> Reply:
        """Return the file that the path names."""
        return self._reply(request.parameters["name"])

    async def icon(self, request: Request) -> Reply:
        """Return the icon."""
        return self._reply("icon.svg")

    def _reply(self, name: str) -> Reply:
        if name not in self._files:
            return error_reply(404, "there is no such file")
        return Reply(self._files[name], _KINDS[name], headers=(*SECURITY_HEADERS, _KEPT))
