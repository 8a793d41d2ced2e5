"""The page over HTTP: its views, its files, and who may see it.

In: requests of browsers, and a `PageSource`, which is a collector. Out: HTML, text or JSON. Read `routes` first: it
lists the paths; `access` lets in who has a token.
"""

from kubesonar.api.page.routes import PageSource, page_routes

__all__ = ["PageSource", "page_routes"]
