"""The page over HTTP: its views, its files, and the door before them.

In: requests of browsers, and a `PageSource`, which is a collector. Out: HTML, text or JSON. Read `routes` first: it
lists the paths; `door` lets in who has a token.
"""

from kubesonar.api.page.routes import PageSource, page_routes

__all__ = ["PageSource", "page_routes"]
