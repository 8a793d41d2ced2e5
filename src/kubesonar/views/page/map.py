"""The map: nodes by zone, and who reaches whom in each network. A large network is shown by zones and by what is sick;
each zone can be opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

import msgspec

from kubesonar.model import Member, clip
from kubesonar.views.cells import Mark, PathCell
from kubesonar.views.labels import share
from kubesonar.views.matrix import Matrix
from kubesonar.views.names import ShortNames, member_labels, shortened, without_hashes
from kubesonar.views.page.cells import MapCell, Paths, look, map_cell, path_words
from kubesonar.views.page.links import Link, node_href, percent_encoded, target_href

WHOLE = 60
"""Most members of a network that is drawn whole. More, and nobody finds anything in it, and a page takes seconds."""

_ROWS = 100
"""Most rows of an opened zone on one page, and most sick paths that are listed."""

_LABEL = 80
"""Most characters of a heading."""

_WIDE = 12
"""Most characters of names that are headings as they are; longer ones are named by what differs. More, and a map of a
few nodes is wider than a screen."""

NO_ZONE = "no zone"


class Heading(msgspec.Struct, frozen=True):
    """A row or column: its label, its whole name, the view that it leads to, and why it is excused or unread."""

    label: str
    name: str
    href: str
    note: str = ""


class ColumnGroup(msgspec.Struct, frozen=True):
    """Columns of one zone, or the plain targets."""

    label: str
    columns: tuple[Heading, ...]


class MapRow(msgspec.Struct, frozen=True):
    """A source and its cells, one for each column (None: not probed)."""

    heading: Heading
    cells: tuple[MapCell | None, ...]


class RowGroup(msgspec.Struct, frozen=True):
    """Rows of one zone."""

    label: str
    rows: tuple[MapRow, ...]


class ZoneCell(msgspec.Struct, frozen=True):
    """All paths from one zone to another: how many there are, how many are not well, and their mean loss."""

    look: str
    text: str
    title: str


class ZoneRow(msgspec.Struct, frozen=True):
    """A source zone, how many members it has, and its cells (None: no paths)."""

    link: Link
    members: int
    cells: tuple[ZoneCell | None, ...]


class SickPath(msgspec.Struct, frozen=True):
    """A path that is not well, and what is known of both its directions."""

    look: str
    source: Link
    target: Link
    forward: str
    back: str


class MemberPaths(msgspec.Struct, frozen=True):
    """A member of an opened zone, the paths that it probes, and those by which others probe it."""

    heading: Heading
    out: tuple[MapCell, ...]
    into: tuple[MapCell, ...]


class OpenedZone(msgspec.Struct, frozen=True):
    """One zone in full: members from the `first` on (from 0) of `total`, those with sick paths first. `before` and
    `after` are addresses of the rest, empty where there is none."""

    label: str
    first: int
    total: int
    rows: tuple[MemberPaths, ...]
    before: str
    after: str


class NetworkMap(msgspec.Struct, frozen=True):
    """One network: drawn whole (`columns`, `rows`), or by `zones`, with the sick paths and the zone that is `opened`.
    `shared` is what all labels leave out of the names."""

    network: str
    members: int
    paths: int
    sick: int
    unread: int
    shared: str
    columns: tuple[ColumnGroup, ...] = ()
    rows: tuple[RowGroup, ...] = ()
    zones: tuple[ZoneRow, ...] = ()
    opened: OpenedZone | None = None
    sick_paths: tuple[SickPath, ...] = ()
    more_sick: int = 0


class MapModel(msgspec.Struct, frozen=True):
    """The map of each network that has members."""

    networks: tuple[NetworkMap, ...]


def map_model(matrices: Iterable[Matrix], zone: str = "", first: int = 0) -> MapModel:
    """Return the map; `zone` is the one to open in large networks (empty: none), `first` its first row."""
    return MapModel(tuple(_Network(matrix).drawn(zone, first) for matrix in matrices))


class _Network:
    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self._paths: Paths = {(cell.source, cell.target): cell for cell in matrix.cells}
        full = member_labels(matrix.members)
        wide = max(map(len, full), default=0) > _WIDE
        short = shortened(full) if wide else ShortNames(tuple(full))
        self._shared = f"{short.before}…{short.after}" if short.before or short.after else ""
        targets = without_hashes(matrix.targets)
        names = [*(member.name for member in matrix.members), *matrix.targets]
        self._names = dict(zip(names, [*full, *matrix.targets], strict=True))
        self._labels = dict(zip(names, [*short.labels, *targets], strict=True))
        self._members = {member.name: member for member in matrix.members}

    def drawn(self, zone: str, first: int) -> NetworkMap:
        matrix = self._matrix
        sick = [cell for cell in matrix.cells if cell.sick]
        base = NetworkMap(
            network=matrix.network.value,
            members=len(matrix.members),
            paths=len(matrix.cells),
            sick=len(sick),
            unread=len(matrix.unread),
            shared=clip(self._shared, _LABEL),
        )
        if len(matrix.members) <= WHOLE:
            return self._whole(base)
        return msgspec.structs.replace(
            base,
            zones=tuple(self._zones()),
            opened=self._opened(zone, first) if zone else None,
            sick_paths=tuple(map(self._sick, sorted(sick, key=_badness)[:_ROWS])),
            more_sick=max(0, len(sick) - _ROWS),
        )

    def _whole(self, base: NetworkMap) -> NetworkMap:
        groups = [(label, list(group)) for label, group in groupby(self._matrix.members, key=_zone)]
        columns = [ColumnGroup(label, tuple(map(self._heading, group))) for label, group in groups]
        targets = [
            Heading(clip(self._labels[target], _LABEL), target, target_href(target)) for target in self._matrix.targets
        ]
        if targets:
            columns.append(ColumnGroup("targets", tuple(targets)))
        names = [*(member.name for member in self._matrix.members), *self._matrix.targets]
        rows = [RowGroup(label, tuple(self._row(member, names) for member in group)) for label, group in groups]
        return msgspec.structs.replace(base, columns=tuple(columns), rows=tuple(rows))

    def _row(self, member: Member, names: Sequence[str]) -> MapRow:
        return MapRow(self._heading(member), tuple(self._probed(member.name, name) for name in names))

    def _probed(self, source: str, target: str) -> MapCell | None:
        """Return the cell of a pair; where its source could not be read, all that it might probe is not known."""
        cell = self._paths.get((source, target))
        if cell is not None:
            return self._cell(cell)
        if source == target or source not in self._matrix.unread or source in self._matrix.excused:
            return None
        return self._cell(PathCell(source, target, Mark.UNKNOWN))

    def _cell(self, cell: PathCell) -> MapCell:
        return map_cell(cell, self._paths, self._names)

    def _heading(self, member: Member) -> Heading:
        name = member.name
        excused, unread = self._matrix.excused.get(name), self._matrix.unread.get(name)
        note = f"excused: {excused}" if excused else f"not read: {unread}" if unread else ""
        return Heading(clip(self._labels[name], _LABEL), self._names[name], node_href(member), note)

    def _zones(self) -> Iterable[ZoneRow]:
        between: dict[tuple[str, str], list[PathCell]] = {}
        for cell in self._matrix.cells:
            if cell.target in self._members:
                ends = _zone(self._members[cell.source]), _zone(self._members[cell.target])
                between.setdefault(ends, []).append(cell)
        sizes: dict[str, int] = {}
        for member in self._matrix.members:
            sizes[_zone(member)] = sizes.get(_zone(member), 0) + 1
        for source, size in sizes.items():
            cells = tuple(_zone_cell(source, target, between.get((source, target), [])) for target in sizes)
            yield ZoneRow(
                Link(source, f"/map?zone={percent_encoded(source)}#{self._matrix.network.value}"), size, cells
            )

    def _sick(self, cell: PathCell) -> SickPath:
        back = self._paths.get((cell.target, cell.source))
        source, target = self._members[cell.source], self._members.get(cell.target)
        return SickPath(
            look=look(cell),
            source=Link(self._names[cell.source], node_href(source)),
            target=Link(
                self._names.get(cell.target, cell.target),
                node_href(target) if target is not None else target_href(cell.target),
            ),
            forward=path_words(cell),
            back="not probed" if back is None else path_words(back),
        )

    def _opened(self, zone: str, first: int) -> OpenedZone | None:
        inside = [member for member in self._matrix.members if _zone(member) == zone]
        if not inside:
            return None
        out: dict[str, list[PathCell]] = {member.name: [] for member in inside}
        into: dict[str, list[PathCell]] = {member.name: [] for member in inside}
        for cell in self._matrix.cells:
            if cell.source in out:
                out[cell.source].append(cell)
            if cell.target in into:
                into[cell.target].append(cell)
        inside.sort(key=lambda member: -sum(cell.sick for cell in out[member.name] + into[member.name]))
        shown = inside[first : first + _ROWS]
        return OpenedZone(
            label=zone,
            first=first,
            total=len(inside),
            rows=tuple(
                MemberPaths(
                    self._heading(member),
                    tuple(map(self._cell, sorted(out[member.name], key=_badness))),
                    tuple(map(self._cell, sorted(into[member.name], key=_badness))),
                )
                for member in shown
            ),
            before=self._page(zone, max(0, first - _ROWS)) if first else "",
            after=self._page(zone, first + _ROWS) if first + _ROWS < len(inside) else "",
        )

    def _page(self, zone: str, first: int) -> str:
        return f"/map?zone={percent_encoded(zone)}&first={first}#{self._matrix.network.value}"


def _zone(member: Member) -> str:
    return member.zone or NO_ZONE


_RANKS: Mapping[Mark, int] = {
    Mark.DEAD: 0,
    Mark.PARTLY: 1,
    Mark.LOSSY: 2,
    Mark.UNKNOWN: 3,
    Mark.EXCUSED: 4,
    Mark.WELL: 5,
}


def _badness(cell: PathCell) -> tuple[int, float, str, str]:
    return _RANKS[cell.mark], -(cell.loss or 0.0), cell.source, cell.target


def _zone_cell(source: str, target: str, cells: Sequence[PathCell]) -> ZoneCell | None:
    if not cells:
        return None
    sick, losses = sum(cell.sick for cell in cells), [cell.loss for cell in cells if cell.loss is not None]
    loss = sum(losses) / len(losses) if losses else None
    lost = "loss not known" if loss is None else f"{share(loss)} lost"
    whole = PathCell("", "", Mark.LOSSY if sick else Mark.WELL, loss)
    return ZoneCell(
        look=look(whole) if sick else "w r0",
        text=f"{sick}/{len(cells)}",
        title=f"{source} \N{RIGHTWARDS ARROW} {target}: {sick} of {len(cells)} paths not well, {lost}",
    )
