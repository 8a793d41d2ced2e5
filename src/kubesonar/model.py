"""The frozen values that every room shares. This module imports nothing of ours.

Times are Unix seconds of the wall clock (`float`), durations are seconds, sizes are bytes, rates are bits per second.
Every enum has a member `OTHER`, to which a value decodes that only a newer version knows
(docs/decisions/0003-versions.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Self

import msgspec

SCHEMA = 1
"""Version of the JSON of everything in this file; raised when a reader of the version before could misread it."""

MEMBER_PORT = 7473
"""Default port of a member's responder (UDP) and HTTP listener (TCP)."""

COLLECTOR_PORT = 7475
"""Default port of a collector, also of one that a coordinator runs (TCP)."""

DETAIL_LIMIT = 200
"""Longest `Observation.detail`, in characters. Shorter, and an error's end is cut; longer, and a snapshot of many
failures grows."""


Seconds = Annotated[float, msgspec.Meta(extra={"unit": "seconds"})]
"""A duration in an options Struct; in configuration also written "250ms", "5s", "2m" or "1h"."""

UnixTime = Annotated[float, msgspec.Meta(ge=0, le=1e11)]
"""Unix seconds in what is decoded from others, up to the year 5138; beyond, times lose their fractions."""

Elapsed = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
"""Seconds in what is decoded from others, up to eleven days: no window and no round trip is longer."""

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 32)]
"""A number in what is decoded from others: no more datagrams fit into a window, and trains are numbered in 32 bits."""


KeyId = Annotated[int, msgspec.Meta(ge=0, le=255)]
"""The id of a key that members sign with; 0: without keys, a checksum."""


class Open(StrEnum):
    """An enum that a later version may extend: a value that is not known here decodes to `OTHER`."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls.__members__.get("OTHER") if isinstance(value, str) else None


class Kind(Open):
    """The way in which a check looks."""

    HTTP = "http"
    TCP = "tcp"
    TLS = "tls"
    UDP = "udp"
    ICMP = "icmp"
    DNS = "dns"
    MTU = "mtu"
    OTHER = "other"

    @property
    def by_agent(self) -> bool:
        """Whether an agent itself answers such a check; the kernel of a frozen one still answers the others."""
        return self in (Kind.UDP, Kind.HTTP)


LARGE = "large"
"""Last word of the request of a DNS check by UDP for a large answer."""


class Path(Open):
    """The things that a check goes through."""

    POD = "pod"
    HOST = "host"
    SERVICE = "service"
    INGRESS = "ingress"
    API_DIRECT = "api_direct"
    API_DNS = "api_dns"
    DNS_SERVICE = "dns_service"
    DNS_POD = "dns_pod"
    DNS_NODE_LOCAL = "dns_node_local"
    DNS_UPSTREAM = "dns_upstream"
    DNS_EXPOSED = "dns_exposed"
    EXTERNAL = "external"
    COLLECTOR = "collector"
    LOOPBACK = "loopback"
    OTHER = "other"


class Phase(Open):
    """The parts of one probe, in the order in which they happen."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    WRITE = "write"
    FIRST_BYTE = "first_byte"
    BODY = "body"
    OTHER = "other"


class Fault(Open):
    """The reason why a probe failed. `LOCAL` is the prober's own trouble, and `MISMATCH` a version or key that the two
    ends do not share: neither accuses the target. `MISDELIVERED`: another member than the one meant answered."""

    REFUSED = "refused"
    RESET = "reset"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    UNRESOLVED = "unresolved"
    TLS = "tls"
    WRONG_ANSWER = "wrong_answer"
    TOO_BIG = "too_big"
    BLACK_HOLE = "black_hole"
    NOT_PERMITTED = "not_permitted"
    LOCAL = "local"
    MISMATCH = "mismatch"
    MISDELIVERED = "misdelivered"
    OTHER = "other"

    @property
    def accuses(self) -> bool:
        """Whether this fault is evidence against the target or the way to it."""
        return self not in _BLAMELESS


_BLAMELESS = frozenset({Fault.LOCAL, Fault.NOT_PERMITTED, Fault.MISMATCH, Fault.OTHER})


class Network(Open):
    """The network a member lives in."""

    POD = "pod"
    HOST = "host"
    OTHER = "other"


class State(Open):
    """The state that is expected of a member. Silence is a failure of one that serves and of one that is NOT_READY,
    which its cluster says of the node without having announced it; UNSUPPORTED is one on a node that can run no agent,
    LEAVING one that took its leave of others and that the roster still has: it is not probed any more."""

    SERVING = "serving"
    STARTING = "starting"
    CORDONED = "cordoned"
    DRAINING = "draining"
    NOT_READY = "not_ready"
    ROLLING = "rolling"
    DELETED = "deleted"
    UNSUPPORTED = "unsupported"
    LEAVING = "leaving"
    OTHER = "other"


_EXPECTED = frozenset({State.SERVING, State.NOT_READY})


class Side(Open):
    """The end whose counters an observation holds: the prober or the responder."""

    SOURCE = "source"
    RESPONDER = "responder"
    OTHER = "other"


class StampSource(Open):
    """The clock that stamped a round trip: the kernel's, or our own in user space."""

    KERNEL = "kernel"
    USER = "user"
    OTHER = "other"


class Condition(Open):
    """The condition of its subject that a notice reports. Each replaces the one before it; BACK, CLOSED, MERGED and
    LEFT (on no roster any more) end all others. SUSPECT means that an observer does not trust itself and so announces
    nothing else, MINORITY that it hears no majority. CLUSTER is no condition of a member but the status after an
    election. OPENED, CHANGED, RETURNED, FLAPPING, CLOSED and MERGED are those of an incident."""

    DEAD = "dead"
    GONE = "gone"
    FROZEN = "frozen"
    SUSPECT = "suspect"
    MINORITY = "minority"
    BACK = "back"
    LEFT = "left"
    CLUSTER = "cluster"
    OPENED = "opened"
    CHANGED = "changed"
    RETURNED = "returned"
    FLAPPING = "flapping"
    CLOSED = "closed"
    MERGED = "merged"
    OTHER = "other"

    @property
    def ends(self) -> bool:
        """Whether this condition ends all others of its subject."""
        return self in _ENDING


_ENDING = frozenset({Condition.BACK, Condition.LEFT, Condition.CLOSED, Condition.MERGED})


class Health(Open):
    """Health of an edge or of the mesh. What nobody asked, or nobody can tell, is UNKNOWN and never GOOD."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"
    OTHER = "other"


class Member(msgspec.Struct, frozen=True, omit_defaults=True):
    """A participant. `name` is a label, unique in a roster; `identity` is who it is. `addresses` are IP literals, of
    which at most one of each family is probed; `port` is the port of its responder (UDP) and its HTTP listener (TCP);
    `epoch` (Unix milliseconds of its start, 0 unknown) tells a restarted member from the one before. `since` is when
    its `state` began (Unix seconds, 0 unknown)."""

    name: str
    node: str
    addresses: tuple[str, ...]
    port: int
    network: Network = Network.POD
    zone: str = ""
    epoch: int = 0
    state: State = State.SERVING
    reason: str = ""
    since: UnixTime = 0.0

    def __post_init__(self) -> None:
        if not is_name(self.name) or (self.node and not is_name(self.node)):
            raise ValueError(f"name and node: expected at most {LONGEST_NAME} printable characters")

    @property
    def identity(self) -> str:
        """The identity of this member, whatever it is called: node, network and port. A roster that knows no nodes has
        the address in the place of the node (docs/decisions/0009-identity.md)."""
        return f"{self.node}/{self.network}/{self.port}"

    @property
    def aliases(self) -> tuple[str, ...]:
        """The identities that this member has in rosters that know no nodes: one for each address."""
        return tuple(f"{address}/{self.network}/{self.port}" for address in self.addresses)

    @property
    def expected(self) -> bool:
        """Whether this member's silence is a failure."""
        return self.state in _EXPECTED


class Roster(msgspec.Struct, frozen=True):
    """All members at one revision, an opaque word of the source: equal revisions mean equal members."""

    revision: str
    members: tuple[Member, ...]
    stale: str = ""
    """The reason why this roster may be out of date; empty while its source answers."""
    lacks: str = ""
    """Sentence that says what the source cannot tell, and why; empty where it tells everything."""

    def named(self, name: str) -> Member | None:
        """Return the member of that name, None where there is none."""
        return next((member for member in self.members if member.name == name), None)


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """An intention: probe `address` (an IP literal, or a name where the kind resolves names) every `period` seconds.

    `target` is a member's name or that of a plain target. `request` is what is asked: a URL (http), a server name
    (tls), "name TYPE udp|tcp|large" (dns); empty elsewhere. `expect` is the good answer: a status or a range as
    "200-299" (http), an rcode's mnemonic (dns); empty: the kind's default. `trust` is a file of CA certificates, empty:
    the system's. `node` is where a plain target runs, empty where that is not known. `family` is 4 or 6 where only
    addresses of that family are tried, 0 for either.
    """

    id: str
    kind: Kind
    path: Path
    target: str
    address: str
    port: int = 0
    period: float = 5.0
    timeout: Elapsed = 2.0
    request: str = ""
    expect: str = ""
    trust: str = ""
    node: str = ""
    family: int = 0

    @property
    def is_large(self) -> bool:
        """Whether it asks a DNS server for a large answer by UDP."""
        return self.kind is Kind.DNS and self.request.endswith(f" {LARGE}")


class Span(msgspec.Struct, frozen=True, array_like=True):
    """One phase of a probe; `start` and `end` are seconds after `Observation.at`."""

    phase: Phase
    start: float
    end: float


class Rtt(msgspec.Struct, frozen=True, omit_defaults=True):
    """Round trips (seconds) of one probe. `jitter` is the mean difference of successive ones, without the smoothing of
    RFC 3550 section 6.4.1, for which a train is too short."""

    best: float
    mean: float
    worst: float
    clock: StampSource
    jitter: float = 0.0


class PortTally(msgspec.Struct, frozen=True, array_like=True):
    """Datagrams sent from one source port, and the answers to it: one ECMP path and one conntrack entry."""

    port: int
    sent: int
    received: int


class Train(msgspec.Struct, frozen=True, omit_defaults=True):
    """Several datagrams sent back to back. `number` counts the source's trains towards this target and joins its
    observation with the responder's. `seen` is how many the responder had received when it sent its last answer (0: it
    did not say), and in a responder's observation how many datagrams the source announced. `size` is the UDP payload of
    each (bytes). `rate` is the bottleneck's rate (bit/s) from source to responder, by the median spacing of arrivals
    (packet-train dispersion; Dovrolis et al., INFOCOM 2001), None where the train was too short or the way too fast to
    tell. One more datagram may fill the path's MTU: `full` is its IP packet (bytes, 0: there was none, or it did not
    arrive at the responder), `full_sent` and `full_received` count it as `Observation.sent` and `received` count the
    others, among which it never is."""

    number: int
    duplicates: int = 0
    reordered: int = 0
    late: int = 0
    seen: int = 0
    size: int = 0
    rate: float | None = None
    ports: tuple[PortTally, ...] = ()
    full: int = 0
    full_sent: int = 0
    full_received: int = 0

    @property
    def full_lost(self) -> bool:
        """Whether a datagram that fills the path's MTU was sent and not answered."""
        return self.full_received < self.full_sent


CONNECTING = frozenset({Kind.TCP, Kind.HTTP})
"""Kinds of checks whose observations tell how many SYNs were sent."""

_SYN_TIMEOUT = 1.0
"""Seconds after which a SYN is sent again (RFC 6298, section 2.1; TCP_TIMEOUT_INIT of Linux)."""


class Kernel(msgspec.Struct, frozen=True, omit_defaults=True):
    """The kernel's figures of a connection (TCP_INFO, include/uapi/linux/tcp.h): smoothed round trip and its deviation
    (seconds), retransmitted segments, path MTU and maximum segment size (bytes)."""

    rtt: float = 0.0
    rttvar: float = 0.0
    retransmits: int = 0
    path_mtu: int = 0
    mss: int = 0


class Observation(msgspec.Struct, frozen=True, omit_defaults=True):
    """The result of one probe, or of one train that came to the responder; metrics, windows and diagnosis are
    functions of observations.

    `sent` and `received` are what this `side` itself sent and received. So the loss each way is known once both sides
    are joined: forward, source.sent against responder.received; back, responder.sent against source.received. A probe
    of one question counts 1 sent and 0 or 1 received. On the responder's side `check.target` is the peer that asked and
    `source` the member that counted. `code` is the HTTP status or the DNS rcode. `mtu` is the largest IP packet known
    to pass (bytes; kind mtu, and a train whose full-size datagram a router refused as too big).
    """

    check: Check
    source: str
    network: Network
    at: float
    side: Side = Side.SOURCE
    address: str = ""
    family: int = 4
    source_port: int = 0
    fault: Fault | None = None
    phases: tuple[Span, ...] = ()
    code: int | None = None
    sent: int = 1
    received: int = 0
    rtt: Rtt | None = None
    train: Train | None = None
    kernel: Kernel | None = None
    mtu: int = 0
    detail: str = ""

    @property
    def health(self) -> Health:
        """GOOD, BAD or UNKNOWN; a fault that accuses nobody is UNKNOWN."""
        return _health(self.fault, self.received)


def syns_of(observation: Observation) -> int:
    """Return how many SYNs a TCP check took, or a new connection of an HTTP check as far as one is told from several: 0
    where the kernel did not tell, and for all other kinds. An HTTP exchange sends more than its handshake again, so
    that the time which this took decides."""
    kernel, kind = observation.kernel, observation.check.kind
    if kernel is None or kind not in CONNECTING:
        return 0
    if kind is Kind.TCP:
        return 1 + kernel.retransmits
    took = next((span.end - span.start for span in observation.phases if span.phase is Phase.CONNECT), None)
    return 0 if took is None else 1 + (kernel.retransmits > 0 and took >= _SYN_TIMEOUT)


def _health(fault: Fault | None, received: int) -> Health:
    if fault is not None:
        return Health.BAD if fault.accuses else Health.UNKNOWN
    return Health.GOOD if received else Health.UNKNOWN


# Not tracked by Python's garbage collector, which saves 16 bytes of what there are most of; it holds nothing that could
# refer to it.
class Trial(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One observation, reduced to what windows and diagnosis need. `number` is the train's (0 without one), `rtt` the
    best round trip in seconds (0 unknown), `rate` in bit/s (0 unknown), `slow` whether it took much longer than
    is usual for its edge, `full_sent` and `full_received` as in `Train`. `seen` is that of the train, or `syns_of` a
    connection (0 from agents of an older version)."""

    at: UnixTime
    number: Count
    sent: Count
    received: Count
    seen: Count
    rtt: Elapsed
    rate: Annotated[float, msgspec.Meta(ge=0, le=1e15)]
    fault: Fault | None
    slow: bool = False
    full_sent: Count = 0
    full_received: Count = 0

    @property
    def health(self) -> Health:
        """As `Observation.health`."""
        return _health(self.fault, self.received)


class Window(msgspec.Struct, frozen=True, omit_defaults=True):
    """Sums over the last `span` seconds of an edge: observations, those that failed or tell nothing, datagrams sent and
    received, and the mean round trip (seconds)."""

    span: Annotated[float, msgspec.Meta(gt=0, le=1e6)]
    observations: Count = 0
    failed: Count = 0
    unknown: Count = 0
    sent: Count = 0
    received: Count = 0
    rtt_mean: Elapsed = 0.0

    @property
    def loss(self) -> float | None:
        """Share of what was sent that was not answered, None where nothing was sent."""
        return 1 - self.received / self.sent if self.sent else None


class Minute(msgspec.Struct, frozen=True, array_like=True):
    """The trials of one edge that were made in the minute from `at` on: how many there were that tell something, and
    those of them that were bad: they failed, or lost datagrams. A responder's trial is bad where not all that the
    source announced arrived."""

    at: UnixTime
    trials: Count
    bad: tuple[Trial, ...] = ()


class Edge(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything kept of one check: its latest observation, a short and a long window, their trials, oldest first, and
    the time below which 95 % of its checks stay (`usual`, 0 while that is not known). `past` are the minutes before
    the oldest trial, oldest first; a trial is in one of the two. `bad_since` is when its trials began to be bad, None
    where they are well; it may lie long before the oldest trial that is kept."""

    latest: Observation
    short: Window
    long: Window
    trials: tuple[Trial, ...] = ()
    usual: Elapsed = 0.0
    bad_since: UnixTime | None = None
    past: tuple[Minute, ...] = ()


class Trouble(msgspec.Struct, frozen=True, omit_defaults=True):
    """A period in which a member could not be trusted to measure or to answer: its loop was starved, it was
    throttled or frozen, or it dropped what came to it. `until` is None while it lasts."""

    since: UnixTime
    until: UnixTime | None
    cause: str


class Saturation(msgspec.Struct, frozen=True, omit_defaults=True):
    """The fill of the conntrack table of a member's network namespace at `at`, and what the kernel dropped for want of
    room in the `span` seconds before. None: the kernel does not tell.

    `conntrack_entries` of at most `conntrack_limit` are in use. `conntrack_drops` are packets dropped because the table
    was full, `conntrack_early_drops` entries thrown out to make room, `conntrack_insert_failed` packets dropped because
    another one had made the same entry (as A and AAAA questions do that race). `udp_receive_drops` are datagrams that
    found a receive buffer full and `udp_send_drops` those that found a send buffer full, of all processes there.
    `softnet_drops` are packets that found a CPU's backlog full, of the whole node in whatever namespace."""

    at: UnixTime
    span: Elapsed
    conntrack_entries: Count | None = None
    conntrack_limit: Count | None = None
    conntrack_drops: Count | None = None
    conntrack_early_drops: Count | None = None
    conntrack_insert_failed: Count | None = None
    udp_receive_drops: Count | None = None
    udp_send_drops: Count | None = None
    softnet_drops: Count | None = None


class InterfaceFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """A network interface: its MTU (bytes, 0: not known) and its addresses with prefix lengths ("10.0.0.1/24")."""

    name: Annotated[str, msgspec.Meta(max_length=64)]
    mtu: Count = 0
    addresses: Annotated[tuple[Annotated[str, msgspec.Meta(max_length=64)], ...], msgspec.Meta(max_length=64)] = ()


_Word = Annotated[str, msgspec.Meta(max_length=253)]
_Words = Annotated[tuple[_Word, ...], msgspec.Meta(max_length=64)]


class NodeFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """Facts that seldom change at a member, in its own network namespace: the node's kernel and when it booted (Unix
    seconds, 0 unknown), interfaces, and the resolver's configuration (resolv.conf(5)). `looked_up` are names that it
    was asked for with their addresses, none where it has none. `throttled` is the share of CPU periods in which the
    member's cgroup was throttled, in tenths."""

    kernel: _Word = ""
    booted: UnixTime = 0.0
    interfaces: Annotated[tuple[InterfaceFacts, ...], msgspec.Meta(max_length=256)] = ()
    nameservers: _Words = ()
    search: _Words = ()
    ndots: Annotated[int, msgspec.Meta(ge=0, le=15)] = 1
    looked_up: Annotated[dict[_Word, _Words], msgspec.Meta(max_length=8)] = {}
    throttled: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0


class Severity(Open):
    """The reach of a finding: a remark, something to repair, or something that many workloads feel."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"
    OTHER = "other"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of the network that is sick. `part` is a row of the table of parts (core/diagnosis/parts/table.py),
    `subject` which one ("node-3", "node-1>node-2"), `fault` what is wrong with it in one word, `since` when it began as
    far as is known, `confidence` 0 to 1, `sentence` all of it for a person, `evidence` and `against` what speaks for
    and against it. `alike` are parts ("pair node-1>node-2") that the present probes cannot tell from it, `rivals` the
    explanations that it was preferred to and by how much, `because` what else fails because of it, `observers` who saw
    how much of it, `confirm` a command that would confirm it. `loss` is the share of packets or checks that it makes
    fail, None where that is not what it does. `nodes` are those of a zone that it stands for, or where a server runs,
    `zones` those of both ends of a way between nodes of two zones, in order.
    `latest` is when something was last lost or failed by it (Unix seconds), None where trials do not show it."""

    part: str
    subject: str
    fault: str
    since: float | None
    confidence: float
    sentence: str
    evidence: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    severity: Severity = Severity.WARNING
    alike: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    observers: tuple[str, ...] = ()
    confirm: str = ""
    loss: float | None = None
    nodes: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    latest: float | None = None


class Notice(msgspec.Struct, frozen=True, omit_defaults=True):
    """The notice that receivers get: `what` became of the `subject`, which is a member, or a node where all its
    `members` are concerned. `id` is the same whichever member sends it (`core.membership.notices.notice_id`), so that a
    receiver can drop doubles. `since` is when it began as far as is known, `at` when it was decided, `sentence` all of
    it for a person, `coordinator` the member that sends it. `cluster` is the name of the cluster, `network` that of the
    member, of a node that of its first one; `component` is "member", "node", "coordinator" where the coordinator's own
    view is in doubt, or "incident": then `incident` is its id, `part` and `severity` those of its finding, and the
    collector that leads is the `coordinator`. `page` is the address at which a person sees what it is about, empty
    where none is known."""

    id: str
    what: Condition
    subject: str
    at: float
    sentence: str
    node: str = ""
    epoch: int = 0
    since: float | None = None
    evidence: tuple[str, ...] = ()
    coordinator: str = ""
    cluster: str = ""
    component: str = "member"
    network: Network = Network.POD
    members: tuple[str, ...] = ()
    incident: str = ""
    part: str = ""
    severity: str = ""
    page: str = ""


class Snapshot(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything that one member knows at `at`: itself, the roster in force, its edges (both sides) and its own
    troubles. `coordinator` is the elected member, empty while there is none. `lacks` says what this member cannot
    check, and why: a sentence each. `keys` are the ids of the keys that it accepts, the signing one first (0: it has
    none); empty where it does not tell. `saturation` is what its kernel lacks room for, of the last minute. Members
    that report to a collector tell `facts`; `withheld` is the size (bytes) of a report that did not get through to it
    while small ones do, else 0."""

    schema: int
    member: Member
    at: UnixTime
    started: UnixTime
    roster: Roster
    edges: tuple[Edge, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    coordinator: str = ""
    lacks: tuple[str, ...] = ()
    keys: tuple[KeyId, ...] = ()
    saturation: Saturation | None = None
    facts: NodeFacts | None = None
    withheld: Count = 0

    @property
    def latest_troubles(self) -> tuple[Trouble, ...]:
        """The `troubles` that lasted within the last minute; the others tell only which of the past to leave out."""
        return tuple(each for each in self.troubles if each.until is None or each.until >= self.at - _LATELY)


_LATELY = 60.0
"""Seconds for which a trouble is told after it has ended. Shorter, and it ends before anybody looks; longer, and it is
told long after all is well."""


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to "is the network healthy?" in one sentence, and the findings behind it. `unknown` says what could
    not be told, and why; `states` which members are excused, and why; `left` the nodes and members that are deleted;
    `observers` of `members` could be read. `blind` says of a single look that it is unknown for want of agents that
    could be read, heard or trusted, and not because packets were lost; `unheard` are the members that serve and that
    nobody heard lately, unless it is unknown for something else as well."""

    verdict: Health
    sentence: str
    at: float
    findings: tuple[Finding, ...] = ()
    unknown: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    left: frozenset[str] = frozenset()
    observers: int = 0
    members: int = 0
    blind: bool = False
    unheard: frozenset[str] = frozenset()


LONGEST_NAME = 253
"""Longest name, in characters: that of a DNS name, and so of objects in Kubernetes."""


def is_name(text: str) -> bool:
    """Return whether `text` may be a name of a member, node or target: it is not empty, not too long, and has nothing
    but printable characters, no space at its ends. So it may stand in logs, metrics and terminals as it is."""
    return 0 < len(text) <= LONGEST_NAME and text.isprintable() and text == text.strip()


def printable(text: str, escape: Callable[[str], str] = lambda char: repr(char)[1:-1]) -> str:
    """Return `text` with every character that is not printable as what `escape` makes of it (as Python writes it): of
    control, bidirectional and zero-width characters, separators of lines and halves of characters. What comes from
    outside must neither forge lines nor give orders to a terminal."""
    return text if text.isprintable() else "".join(char if char.isprintable() else escape(char) for char in text)


_USERINFO = re.compile(
    r"""
      (?<=//) [^\s"/?\#:@\[]{0,256} : (?! \d{1,5} (?![^\s/?\#:]) | \s) (?: [^\s"]{0,1024} | [^"@]{0,1024} ) @
    | (?<=//) [^\s"/?\#]{0,1024} @
    | [^\s"/?\#@:\[(=,]{1,256} : (?! // | \d{1,5} [/?\#] | \s) [^\s"]{0,1024} @
    """,
    re.VERBOSE,
)
"""The part before "@" as in https://user:word@host, also where the scheme is missing or the word has characters that a
URL does not take. A host with a port is none, nor is a name such as node@10."""


def mask_userinfo(text: str) -> str:
    """Return `text` with user names and passwords of URLs in it replaced by "***". Errors and logs repeat what was
    given, and go where no secret may. To be called before a text is cut: a password without its "@" is not known."""
    return _USERINFO.sub("***@", text) if "@" in text else text


def clip(text: str, limit: int = DETAIL_LIMIT) -> str:
    """Return `text` as a detail: printable, on one line, without passwords of URLs, at most `limit` characters."""
    line = "".join(char if char.isprintable() else " " for char in mask_userinfo(text)[: 4 * limit]).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"
