"""The faults of the lab, as one table: a verb, its arguments, its effect, and the part that diagnosis must name for it.

A fault is written as a verb and its arguments: "loss node-1>node-2 10". The words of `Verb.takes` say how each argument
is read, so a new fault is one row here and a rule in network/firewall.py or an act in world.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum

import msgspec

from kubesonar.core.decoding import convert_plain
from kubesonar.lab.topology import LabPlan, Role
from kubesonar.model import State, clip

ANY = "*"
"""The word for every node and server in a direction A>B."""

TEXT_LIMIT = 200
"""Most characters of a fault."""

STATES = tuple(state for state in State if state is not State.OTHER)


class Act(StrEnum):
    """The means by which a fault is injected."""

    FIREWALL = "firewall"
    SHAPER = "shaper"
    PROCESS = "process"
    ROSTER = "roster"
    CLEAR = "clear"


class FaultError(ValueError):
    """A fault that cannot be injected; the text is one sentence for the person who asked for it."""


class Verb(msgspec.Struct, frozen=True):
    """A row of the table: `takes` are the kinds of its arguments, `help` its effect, `act` its means, `row` the part
    (core/diagnosis/parts/table.py) that must be found sick, empty where none may be."""

    name: str
    takes: tuple[str, ...]
    help: str
    act: Act
    row: str = ""

    @property
    def syntax(self) -> str:
        """The verb and its arguments, as a person writes them."""
        return " ".join((self.name, *self.takes))


VERBS = (
    Verb("cut", ("PLACE",), "nothing passes its link, either way", Act.FIREWALL, "node"),
    Verb("drop", ("A>B",), "no packet gets from A to B; the way back is well", Act.FIREWALL, "pair"),
    Verb("loss", ("A>B", "PERCENT"), "this share of the packets from A to B is lost", Act.FIREWALL, "pair"),
    Verb("udp", ("A>B",), "no UDP gets from A to B", Act.FIREWALL, "pair_udp"),
    Verb("family", ("A>B", "FAMILY"), "nothing of ipv4 or of ipv6 gets from A to B", Act.FIREWALL, "pair_family"),
    Verb("port", ("A>B", "tcp/N"), "nothing gets from A to this TCP port of B", Act.FIREWALL, "pair_port"),
    Verb("mtu", ("A>B", "BYTES"), "bigger IP packets from A to B vanish silently", Act.FIREWALL, "pair_mtu"),
    Verb("podnet", ("NODE",), "its pod network is cut off, its host network is well", Act.FIREWALL, "pod_network"),
    Verb("rate", ("PLACE", "KBIT"), "its link passes only so many kbit/s each way", Act.SHAPER, "link_rate"),
    Verb("kill", ("PLACE",), "its agents are gone, its host answers; or the collector is", Act.PROCESS, "agent_gone"),
    Verb("pause", ("PLACE",), "its agents, or the collector, are frozen until resumed", Act.PROCESS, "agent_frozen"),
    Verb("resume", ("PLACE",), "what is frozen there goes on", Act.PROCESS),
    Verb("dns", ("SERVER", "udp"), "a DNS server is deaf by UDP and alive by TCP", Act.FIREWALL, "dns_udp"),
    Verb("vip", ("NODE",), "it no longer translates the DNS Service's address", Act.FIREWALL, "dns_node"),
    Verb("cache", ("NODE",), "its DNS cache answers nobody", Act.FIREWALL, "dns_cache"),
    Verb("upstream", (), "the cluster's DNS gets no answer from its upstream", Act.FIREWALL, "dns_upstream"),
    Verb("state", ("NODE", "STATE"), "what the roster says of its members; serving is usual", Act.ROSTER),
    Verb("clear", (), "undoes everything", Act.CLEAR),
)

# Where one end is every node, the other end is sick: a node's way in or out, or a server as a whole.
_ONE_SIDED = frozenset({"drop", "loss", "family"})
_NEED_DNS = frozenset({"vip", "cache", "upstream"})
_SUBJECTS = {"vip": "{}>dns"}
"""Names by which findings call the subject of a fault where that is not its target."""
_SUFFIXES = {"port": " tcp/{:.0f}", "family": " ipv{:.0f}"}
"""Verbs that break a part of a way or a node, with what findings write behind its name. Each amount is a fault of its
own."""

_SERVER_ROWS = {Role.DNS: "dns_server", Role.API: "api_server", Role.INGRESS: "ingress"}


class LabFault(msgspec.Struct, frozen=True):
    """One fault: in the direction from `source` to `target`, or of `target` alone (a node or a server). `amount` is a
    percentage, bytes, kbit/s, a port or the version of IP, `state` the argument of the verb "state", `role` that of a
    server at either end."""

    verb: str
    target: str = ""
    source: str = ""
    amount: float = 0
    state: State = State.SERVING
    role: Role | None = None

    @property
    def act(self) -> Act:
        """The means by which it is injected."""
        return _BY_NAME[self.verb].act

    @property
    def key(self) -> tuple[str, str, str, float]:
        """The key by which a fault replaces an active one."""
        return (self.verb, self.source, self.target, self.amount if self.verb in _SUFFIXES else 0)

    @property
    def row(self) -> str:
        """The name of the part that must be found sick, empty where none may be."""
        if self.role is Role.COLLECTOR:
            return ""
        if not self._one_sided:
            return _BY_NAME[self.verb].row
        if self.role is not None:
            return _SERVER_ROWS.get(self.role, "")
        if self.verb == "family":
            return "node_family"
        return "node_in" if self.source == ANY else "node_out"

    @property
    def subject(self) -> str:
        """The subject of the finding, as findings write it."""
        suffix = _SUFFIXES.get(self.verb, "").format(self.amount)
        if self._one_sided:
            return (self.target if self.source == ANY else self.source) + ("" if self.role else suffix)
        if self.verb in _SUBJECTS:
            return _SUBJECTS[self.verb].format(self.target)
        if not self.source:
            return self.target
        return f"{self.source}>{self.target}{suffix}"

    @property
    def _one_sided(self) -> bool:
        return self.verb in _ONE_SIDED and ANY in (self.source, self.target)

    @property
    def text(self) -> str:
        """The fault as a person writes it."""
        return " ".join((self.verb, *(_WRITERS[word](self) for word in _BY_NAME[self.verb].takes)))


def parse(text: str, plan: LabPlan) -> LabFault:
    """Read a fault of this lab. Raises FaultError."""
    verb, *words = text[: TEXT_LIMIT + 1].split() or [""]
    row = _BY_NAME.get(verb)
    if len(text) > TEXT_LIMIT or row is None:
        raise FaultError(f"fault: got {_quoted(text)}, expected one of: {'; '.join(each.syntax for each in VERBS)}")
    if len(words) != len(row.takes):
        raise FaultError(f"fault: got {_quoted(text)}, expected: {row.syntax} ({row.help})")
    if verb in _NEED_DNS and not plan.dns:
        raise FaultError(f"fault {verb}: this lab has no DNS Service, caches and upstream; start it with --dns")
    fields: dict[str, object] = {"target": Role.UPSTREAM.value} if verb == "upstream" else {}
    for name, word in zip(row.takes, words, strict=True):
        fields |= _READERS[name](word, plan)
    return convert_plain({"verb": verb, **fields}, LabFault)


def _node(word: str, plan: LabPlan) -> dict[str, object]:
    return {"target": _one_of("node", word, [node.name for node in plan.nodes])}


def _place(word: str, plan: LabPlan) -> dict[str, object]:
    collectors = [server.name for server in plan.of_role(Role.COLLECTOR)]
    role = Role.COLLECTOR if word in collectors else None
    return {"target": _one_of("node", word, [*(node.name for node in plan.nodes), *collectors]), "role": role}


def _server(word: str, plan: LabPlan) -> dict[str, object]:
    return {"target": _one_of("DNS server", word, [server.name for server in plan.of_role(Role.DNS)])}


def _way(word: str, plan: LabPlan) -> dict[str, object]:
    source, arrow, target = word.partition(">")
    if not arrow or source == target:
        raise FaultError(f"A>B: got {_quoted(word)}, expected two different ends, as in node-1>node-2 or *>node-3")
    ends = [*plan.stations, ANY]
    server = next((server for server in plan.servers if server.name in (source, target)), None)
    return {
        "source": _one_of("A", source, ends),
        "target": _one_of("B", target, ends),
        "role": server.role if server else None,
    }


def _state(word: str, _plan: LabPlan) -> dict[str, object]:
    return {"state": _one_of("state", word, STATES)}


def _udp(word: str, _plan: LabPlan) -> dict[str, object]:
    _one_of("protocol", word, ["udp"])
    return {}


def _port(word: str, _plan: LabPlan) -> dict[str, object]:
    protocol, _, number = word.partition("/")
    if protocol != "tcp":
        raise FaultError(f"port: got {_quoted(word)}, expected tcp/ and a number, as in tcp/7473")
    return {"amount": _number("port", number, 1, 65_535)}


def _family(word: str, _plan: LabPlan) -> dict[str, object]:
    return {"amount": int(_one_of("family", word, ["ipv4", "ipv6"])[-1])}


def _amount(
    name: str, low: float, high: float, pattern: str = r"\d{1,9}"
) -> Callable[[str, LabPlan], dict[str, object]]:
    return lambda word, _plan: {"amount": _number(name, word, low, high, pattern)}


def _number(name: str, word: str, low: float, high: float, pattern: str = r"\d{1,9}") -> float:
    if not re.fullmatch(pattern, word, re.ASCII) or not low <= float(word.rstrip("%")) <= high:
        raise FaultError(f"{name}: got {_quoted(word)}, expected a number from {low:.10g} to {high:.10g}")
    return float(word.rstrip("%"))


def _one_of(what: str, word: str, known: list[str] | tuple[str, ...]) -> str:
    if word not in known:
        raise FaultError(f"{what}: got {_quoted(word)}, expected one of {', '.join(known)}")
    return word


def _quoted(text: str) -> str:
    return f'"{clip(text, 60)}"'


_BY_NAME = {verb.name: verb for verb in VERBS}

_READERS: dict[str, Callable[[str, LabPlan], dict[str, object]]] = {
    "NODE": _node,
    "PLACE": _place,
    "SERVER": _server,
    "A>B": _way,
    "STATE": _state,
    "udp": _udp,
    "tcp/N": _port,
    "FAMILY": _family,
    "PERCENT": _amount("percent", 0.1, 100, r"\d{1,3}(\.\d{1,3})?%?"),
    # The least that IPv6 asks of a link is 1280 (RFC 8200 section 5); IPv4 must carry 68 (RFC 791 section 3.2).
    "BYTES": _amount("bytes", 68, 1499),
    # Below, the lab's own probes (about half a megabit a second on each of five nodes' links) would fill the link.
    "KBIT": _amount("kbit/s", 1000, 1_000_000),
}

_WRITERS: dict[str, Callable[[LabFault], str]] = {
    "NODE": lambda fault: fault.target,
    "PLACE": lambda fault: fault.target,
    "SERVER": lambda fault: fault.target,
    "A>B": lambda fault: f"{fault.source}>{fault.target}",
    "STATE": lambda fault: fault.state,
    "udp": lambda _fault: "udp",
    "tcp/N": lambda fault: f"tcp/{fault.amount:.0f}",
    "FAMILY": lambda fault: f"ipv{fault.amount:.0f}",
    "PERCENT": lambda fault: f"{fault.amount:g}",
    "BYTES": lambda fault: f"{fault.amount:.0f}",
    "KBIT": lambda fault: f"{fault.amount:.0f}",
}
