"""A secret that all agents share: outside of Kubernetes."""

from __future__ import annotations

from kubesonar.reports.auth.reporter import Reporter, ReporterRefused
from kubesonar.web import BearerToken, Request


class SharedSecret:
    """Believes whoever shows a line of the file to be whom it says. Raises ConfigError where the file has none."""

    def __init__(self, path: str) -> None:
        self._token = BearerToken(path)

    async def reporter(self, request: Request) -> Reporter:
        """See `ReportAuthenticator`."""
        if not await self._token.permits(request):
            raise ReporterRefused("the report's bearer token is not the collector's secret (reports.secret_file)")
        return Reporter()
