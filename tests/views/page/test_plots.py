"""Loss and round trip as plots."""

from __future__ import annotations

import msgspec

from kubesonar.core.telemetry.reports.short_history import NewTrials, ShortHistory
from kubesonar.model import Check, Finding, Kind, Member, Network, Observation, Path, Trial
from kubesonar.views.page.plots import Plot, day_plots, incident_plots
from tests.views.page.source import UTC

NOW = 1_000_000_020.0
A, B = (Member(f"{node}-pod", node, (), 1) for node in ("a", "b"))
MEMBERS = {A.name: A, B.name: B}


def history(*minutes: tuple[float, int, float]) -> ShortHistory:
    """Of a's checks of b: seconds before now, packets received of ten, and the round trip."""
    found = ShortHistory()
    check = Check("udp/b", Kind.UDP, Path.POD, B.name, "10.0.0.2")
    latest = Observation(check, A.name, Network.POD, NOW)
    trials = tuple(Trial(NOW - ago, 0, 10, received, 0, rtt, 0.0, None) for ago, received, rtt in minutes)
    for trial in sorted(trials, key=lambda trial: trial.at):
        found.add(A, {A.name: "a", B.name: "b"}, [NewTrials(check, latest, (trial,))], 0.0, trial.at)
    return found


def of(subject: str, since: float, closed: float | None, past: ShortHistory) -> tuple[Plot, ...]:
    finding = Finding("pair", subject, "loss", since, 0.99, "a > b loses packets")
    return incident_plots(finding, since, closed, past, MEMBERS, NOW, UTC)


def test_an_incident_is_shown_with_what_was_before_and_after() -> None:
    past = history(*((60.0 * n, 5 if 10 <= n < 20 else 10, 0.001) for n in range(40)))
    pair, *rest = of("a>b", NOW - 1200, NOW - 600, past)
    assert pair.title == "a → b" and [plot.title for plot in rest] == ["a", "b"]
    assert (pair.begin.stamp, pair.end.stamp) == (UTC.stamp(NOW - 1800), UTC.stamp(NOW))
    assert (pair.shade, pair.shade_width) == (33.33, 33.33)
    loss, trip = pair.curves
    assert (loss.worst, trip.worst) == ("0% to 50%", "1.0ms")
    (piece,) = rest[0].curves[0].pieces
    points = [tuple(map(float, point.split(","))) for point in piece.split(" ")]
    assert len(points) >= 30 and all(0 <= x <= 100 and 0 <= y <= 100 for x, y in points)
    assert {y for x, y in points if 40 < x < 60} == {9.1} and {y for x, y in points if x < 30} == {100.0}


def test_members_stand_for_their_nodes() -> None:
    past = history((60.0, 5, 0.001))
    assert of("a-pod>b-pod", NOW - 60, None, past)[0].title == "a → b"


def test_a_minute_alone_can_be_seen_and_a_gap_is_a_gap() -> None:
    past = history((600.0, 10, 0.001), (540.0, 10, 0.001), (60.0, 10, 0.001))
    (plot, *_) = of("a", NOW - 300, None, past)
    pieces = plot.curves[0].pieces
    assert [len(piece.split(" ")) for piece in pieces] == [2, 2]


def test_a_little_loss_does_not_fill_the_plot() -> None:
    past = ShortHistory()
    check = Check("udp/b", Kind.UDP, Path.POD, B.name, "10.0.0.2")
    trial = Trial(NOW - 60, 0, 10_000, 9_999, 0, 0.0, 0.0, None)
    past.add(
        A, {A.name: "a", B.name: "b"}, [NewTrials(check, Observation(check, "a", Network.POD, NOW), (trial,))], 0, NOW
    )
    (plot,) = day_plots("a", past, NOW, UTC)
    (loss,) = plot.curves
    assert (loss.top, loss.worst) == ("1%", "<1%")
    assert float(loss.pieces[0].split(",")[1].split(" ")[0]) > 98.0


def test_nothing_is_drawn_of_what_nobody_measured_or_nobody_knows() -> None:
    past = history((60.0, 10, 0.001))
    assert of("zone-a", NOW - 300, None, past) == ()
    assert day_plots("nobody", past, NOW, UTC) == ()
    assert of("a", NOW - 90_000, NOW - 89_000, past) == ()
    assert msgspec.to_builtins(day_plots("a", past, NOW, UTC)) != ()
