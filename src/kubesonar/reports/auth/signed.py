"""Reports that are signed with a key of the mesh: for meshes whose coordinator takes reports itself."""

from __future__ import annotations

from kubesonar.config import ConfigError
from kubesonar.net.clock import Clock
from kubesonar.net.udp.key_file import watch_key_file
from kubesonar.net.watched_file import reason_of
from kubesonar.reports.auth.reporter import Reporter, ReporterRefused
from kubesonar.reports.signature import SIGNATURE_HEADER, why_not_signed
from kubesonar.web import Request


class SignedReports:
    """Believes whoever signs with a key of the file at `path` to be whom it says, as members do with datagrams. Raises
    ConfigError where the file cannot be used."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._clock = clock
        try:
            self._keys = watch_key_file(path)
        except (OSError, ValueError) as error:
            raise ConfigError(f"reports.keys_file: {path} cannot be used: {reason_of(error)}") from error

    async def reporter(self, request: Request) -> Reporter:
        """See `ReportAuthenticator`."""
        shown = request.header(SIGNATURE_HEADER.encode())
        why = why_not_signed(shown, self._keys.get(), request.path, request.body, self._clock.wall())
        if why:
            raise ReporterRefused(f"the request is not believed: {why}")
        return Reporter()
