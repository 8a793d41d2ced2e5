"""The cells of evidence, one for each route: who asks whom, how, which way, and what is asked."""

from __future__ import annotations

import msgspec

from kubesonar.core.address import read_port
from kubesonar.core.diagnosis.evidence import Cell
from kubesonar.core.diagnosis.inference.trial_model import look_up
from kubesonar.core.diagnosis.joining.edge_sums import observed_family
from kubesonar.core.diagnosis.joining.quiet_pairs import STREAMS
from kubesonar.core.diagnosis.joining.sieve import Sieve
from kubesonar.core.diagnosis.parts.traversal import OWN_SERVICE, Aspect, End, Traversal, Way
from kubesonar.core.diagnosis.population import Population
from kubesonar.model import Check, Edge, Kind, Network, Path

_NAMES = {Path.API_DNS: 1, Path.API_DIRECT: 1}
"""Names that are tried where the name is absolute."""

_MOST_NAMES = 5
"""The same where the search list of a usual pod is gone through."""

_OWN_SERVICES = frozenset({"dns-service", OWN_SERVICE})
"""Targets of core/probing/cluster_checks.py of which it is known what is behind them."""

_PORTS = {"http": 80, "https": 443}


class RouteCells:
    """Finds the cell of a route, and makes it where there is none. `bins` are the bins of age. `behind` are the servers
    behind the Services of a path."""

    def __init__(self, who: Population, sieve: Sieve, bins: int) -> None:
        self._who = who
        self._sieve = sieve
        self._bins = bins
        self._cells: dict[tuple[object, ...], Cell] = {}
        self._new: list[Cell] = []
        self._ends: dict[str, End] = {}
        self.behind = {Path.DNS_SERVICE: sieve.dns_pods, Path.SERVICE: _agents(who)}

    def __contains__(self, key: tuple[object, ...]) -> bool:
        return key in self._cells

    def take_new(self) -> list[Cell]:
        """Return, once, the cells made since the last call that hold trials."""
        new, self._new = self._new, []
        return [cell for cell in new if any(cell.total)]

    def of_check(self, source: str, edge: Edge, way: Way, question: Aspect, packets: int) -> Cell:
        """Return the cell of the trials of that edge, each of so many packets."""
        check = edge.latest.check
        tcp = goes_by_tcp(check)
        family = observed_family(edge.latest) if self._sieve.dual else 0
        large = check.is_large
        key = (source, check.target, check.kind, tcp, check.path, way, question, family, check.port, large)
        found = self._cells.get(key)
        if found is None:
            route = Traversal(
                self._end(source),
                self._target(check),
                check.kind,
                check.path,
                way,
                question,
                port=check.port or _port(check),
                tcp=tcp,
                silent=check.target not in self._who.read,
                family=family,
                large=large,
            )
            found = self.keep(key, Cell(route, packets, self._bins))
        return found

    def of_lookups(self, source: str, check: Check) -> Cell:
        """Return the cell of the look-ups of that check's name, by whichever DNS server."""
        key = (source, check.target, check.path, Aspect.RESOLVE)
        found = self._cells.get(key)
        if found is None:
            servers = End("names", behind=self.behind[Path.DNS_SERVICE])
            family = 6 if any(":" in address for address in self._sieve.dns_addresses) else 4
            route = Traversal(
                self._end(source),
                servers,
                Kind.DNS,
                check.path,
                Way.ROUND,
                Aspect.RESOLVE,
                family=family if self._sieve.dual else 0,
            )
            names = _NAMES.get(check.path, _MOST_NAMES)
            found = self.keep(key, Cell(route, look_up(names), self._bins))
        return found

    def keep(self, key: tuple[object, ...], cell: Cell) -> Cell:
        """Add a cell that is told from all others by `key`, and return it."""
        self._cells[key] = cell
        self._new.append(cell)
        return cell

    def _end(self, name: str) -> End:
        """Return that member as an end, made once."""
        end = self._ends.get(name)
        if end is None:
            end = self._ends[name] = self._who.end(name)
        return end

    def _target(self, check: Check) -> End:
        if check.target in self._who.members:
            return self._end(check.target)
        end = self._who.target(check.target, check.node)
        behind = self.behind.get(check.path, ()) if check.target in _OWN_SERVICES else ()
        if check.path is Path.DNS_UPSTREAM and check.address in self._sieve.dns_addresses:
            behind = self.behind[Path.DNS_SERVICE]
        return msgspec.structs.replace(end, behind=behind) if behind else end


def goes_by_tcp(check: Check) -> bool:
    """Return whether the packets of that check go by TCP."""
    return check.kind in STREAMS or (check.kind is Kind.DNS and check.request.endswith(" tcp"))


def _agents(who: Population) -> tuple[End, ...]:
    """The members behind the agents' own Service: those in the pod network that are expected, or, where no member is in
    one, all that are."""
    pods = {name for name, member in who.members.items() if member.network is Network.POD} or who.members.keys()
    return tuple(who.end(name) for name in sorted(who.expected & pods))


def _port(check: Check) -> int:
    """The port of the URL that is asked for; 0 where there is none."""
    if check.kind is not Kind.HTTP:
        return 0
    scheme, _, rest = check.request.partition("://")
    port = rest.partition("/")[0].rpartition("]")[2].rpartition(":")[2]
    return read_port(port) or _PORTS.get(scheme, 0)
