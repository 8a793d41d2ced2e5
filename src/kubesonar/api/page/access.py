"""Lets those see the page who hold the API's bearer token: a browser gives the token once and gets a cookie for it."""

from __future__ import annotations

from kubesonar.views.page.rendering import PageRenderer
from kubesonar.web import (
    Authenticator,
    BadRequest,
    BearerToken,
    Handler,
    Reply,
    Request,
    cookie_value,
    form_fields,
)

TOKEN_COOKIE = b"kubesonar_token"
"""Name of the cookie that holds the token in place of the Authorization header."""

_FORM = 8192
"""Most bytes of the form with the token. Fewer, and a long token is refused; more, and anybody may send them."""

_KEPT = 30 * 86_400
"""Seconds for which a browser keeps the token. Fewer, and people paste it more often; more, and a browser that is left
behind can read for longer."""

SECURITY_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Headers that tell browsers with every reply to load nothing from elsewhere, to run no script that is written into a
page, and to show it in no frame."""

_NOT_KEPT = (b"cache-control", b"no-store")
HTML = "text/html; charset=utf-8"


class PageAccess:
    """Lets in requests that `reader` permits; shows the form for the token to others."""

    def __init__(self, reader: Authenticator, renderer: PageRenderer) -> None:
        self._reader = reader
        self._renderer = renderer

    def restricted(self, handler: Handler) -> Handler:
        """Return `handler` for those who may read, and the form for others. What is asked for from another site comes
        without the cookie (SameSite=Strict): the browser is made to ask again by itself."""

        async def answer(request: Request) -> Reply:
            if await self._reader.permits(request):
                return await handler(request)
            again = request.first(b"sec-fetch-site") == b"cross-site" and request.method == "GET"
            return self._form(request.target.decode("latin-1"), again=again)

        return answer

    async def sign_in(self, request: Request) -> Reply:
        """Take the token of the form and keep it in a cookie."""
        if len(request.body) > _FORM:
            raise BadRequest(f"the form may have at most {_FORM} bytes")
        fields = form_fields(request.body, {"token": "a token", "to": "a path"})
        to, token = _own_path(fields.get("to", "")), fields.get("token", "").strip().encode()
        if isinstance(self._reader, BearerToken) and not self._reader.knows(token):
            return self._form(to, error="This token is not in force.")
        return _redirect(to, _cookie(cookie_value(token), _KEPT, request))

    async def sign_out(self, request: Request) -> Reply:
        """Make the browser forget the token."""
        return _redirect("/now", _cookie(b"", 0, request))

    def _form(self, to: str, *, error: str = "", again: bool = False) -> Reply:
        values = {"to": to, "error": error, "again": "again" if again else ""}
        body = self._renderer.message("sign_in", **values)
        return Reply(
            body, HTML, 401, (*SECURITY_HEADERS, _NOT_KEPT, (b"www-authenticate", b'Bearer realm="kubesonar"'))
        )


def private(body: bytes, kind: str, status: int = 200) -> Reply:
    """Return a reply that no cache may keep, with the headers that protect the page."""
    return Reply(body, kind, status, (*SECURITY_HEADERS, _NOT_KEPT))


def _own_path(text: str) -> str:
    """Return `text` where it is a path here, else the first view: nobody is led elsewhere by a forged form."""
    plain = text.isascii() and text.isprintable() and "\\" not in text
    return text if plain and text.startswith("/") and not text.startswith("//") else "/now"


def _redirect(to: str, cookie: tuple[bytes, bytes]) -> Reply:
    return Reply(b"", "", 303, ((b"location", to.encode()), cookie, *SECURITY_HEADERS, _NOT_KEPT))


def _cookie(value: bytes, seconds: int, request: Request) -> tuple[bytes, bytes]:
    """Return the header that sets the cookie (RFC 6265bis); only for encrypted connections where this is one."""
    encrypted = request.scheme == "https" or request.first(b"x-forwarded-proto").lower() == b"https"
    secure = b"; Secure" if encrypted else b""
    life = b"; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict" % seconds
    return b"set-cookie", TOKEN_COOKIE + b"=" + value + life + secure
