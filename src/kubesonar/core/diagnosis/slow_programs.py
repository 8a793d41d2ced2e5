"""Whether what is called slow is a program: where CPUs are busy, all that programs answer is late, and what kernels
answer is not."""

from __future__ import annotations

from collections.abc import Collection

from kubesonar.core.diagnosis.evidence import Cell, Evidence
from kubesonar.core.diagnosis.inference.suspects import Suspect
from kubesonar.core.diagnosis.parts.traversal import Aspect
from kubesonar.core.diagnosis.population import Population
from kubesonar.model import Kind

_ASKED = 8
"""Most observers whose other checks are looked at, those first who saw most. Fewer, and one of them decides; more, and
the look takes longer in a large mesh."""

_AS_OFTEN = 0.5
"""Share of how often the target is late for which members' programs are. Lower, and a slow server is not told on a
somewhat busy cluster; higher, and one that takes two steps to answer is told on a very busy one."""

_ON_TIME = 0.05
"""Share of a pair's datagrams up to which they are not late. Lower, and one outlier makes the way slow; higher, and a
slow way is taken for slow programs."""

_QUICK = 0.0025
"""Round trip by the kernel's clock (seconds) below which a slow check was not delayed on its way: it took 10 ms longer
than usual at least, and crossed the way four times at most (connection, TLS, question). Lower, and a busy server makes
a way slow; higher, and a way that takes a few milliseconds longer is not told."""

_BY_KERNEL = (Kind.UDP, Kind.ICMP)
_PROGRAMS = ("target_slow", "dns_slow")


def of_slow_programs(found: Suspect, who: Population, evidence: Evidence) -> bool:
    """Return whether what is called slow is asked of programs alone, and is a way on which the kernels were quick, or
    members that the same observers ask by HTTP are late about as often, although datagrams to them are not."""
    name = found.part.name
    if not name.endswith("_slow") or any(cell.route.kind in _BY_KERNEL for cell in found.cells):
        return False
    if name not in _PROGRAMS and _by_quick_ways(found, who):
        return True
    seen = sorted(found.cells, key=lambda cell: -sum(cell.bad))
    observers = list(dict.fromkeys(cell.route.source.name for cell in seen if any(cell.bad)))[:_ASKED]
    cells = evidence.near(*{who.members[name].node for name in observers if name in who.members})
    pairs = [cell for cell in cells if _between_members(cell) and cell.route.source.name in observers]
    bins = found.fit.bins
    late = {_ends(cell) for cell in _of_kind(pairs, _BY_KERNEL) if _share([cell], bins) > _ON_TIME}
    answers = [cell for cell in _of_kind(pairs, (Kind.HTTP,)) if _ends(cell) not in late]
    share = _share(answers, bins)
    return share > 0 and share >= _AS_OFTEN * _share(found.cells, bins)


def _by_quick_ways(found: Suspect, who: Population) -> bool:
    """Return whether most checks that were late went there and back quickly."""
    asked = {(cell.route.source.name, cell.route.target.name, cell.route.kind) for cell in found.cells if any(cell.bad)}
    late = [
        trial
        for name in {source for source, _, _ in asked} & who.read.keys()
        for edge in who.read[name].edges
        if (name, edge.latest.check.target, edge.latest.check.kind) in asked
        for trial in edge.trials
        if trial.slow
    ]
    return 2 * sum(0 < trial.rtt < _QUICK for trial in late) > len(late)


def _between_members(cell: Cell) -> bool:
    return cell.route.question is Aspect.SPEED and cell.route.between_members


def _of_kind(cells: Collection[Cell], kinds: Collection[Kind]) -> list[Cell]:
    return [cell for cell in cells if cell.route.kind in kinds]


def _ends(cell: Cell) -> tuple[str, str]:
    return cell.route.source.name, cell.route.target.name


def _share(cells: Collection[Cell], bins: int) -> float:
    """Return the share of the trials in the newest `bins` that were late, 0 where there are none."""
    total = sum(sum(cell.total[:bins]) for cell in cells)
    return sum(sum(cell.bad[:bins]) for cell in cells) / total if total else 0.0
