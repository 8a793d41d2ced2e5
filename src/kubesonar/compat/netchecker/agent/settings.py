"""The agent's flags."""

from __future__ import annotations

import re

from kubesonar.compat.netchecker.flags import LOG_FLAGS, Flag, LogFlags, whole_number
from kubesonar.compat.variables import unchanged
from kubesonar.net.http.url import Url, parse_url

AGENT_FLAGS: tuple[Flag, ...] = (
    Flag("serverendpoint", unchanged, "host and port of the server"),
    Flag("probeurls", unchanged, "URLs to probe, separated by commas or semicolons"),
    Flag("reportinterval", whole_number(1, 86_400), "seconds between two reports"),
    Flag(
        "zeroextenderlength",
        whole_number(0, 100_000),
        "how many zeros a report has, which make it longer than one packet",
    ),
    *LOG_FLAGS,
)


class AgentSettings(LogFlags, frozen=True, kw_only=True):
    """The values of the flags."""

    serverendpoint: str = "netchecker-service:8081"
    probeurls: str = ""
    reportinterval: int = 60
    zeroextenderlength: int = 1500

    @property
    def server(self) -> Url:
        """The server's URL. Raises ValueError."""
        return parse_url(f"http://{self.serverendpoint}/api/v1/")

    @property
    def urls(self) -> list[str]:
        """The URLs that are probed: those given, and the server's own ping at the end."""
        given = [url for url in re.split("[,;]", self.probeurls) if url]
        return [*given, f"http://{self.serverendpoint}/api/v1/ping"]

    @property
    def timeout(self) -> float:
        """Seconds for one request: a second less than the interval, which at one second is all of it."""
        return float(max(1, self.reportinterval - 1))
