"""Whether a signed datagram was seen before (the window of RFC 4303 section 3.4.3, per sender and epoch)."""

from __future__ import annotations

WINDOW_SIZE = 1024
"""Counters by which a datagram may come behind the highest. A sender counts over all its targets, so this is about a
hundred trains of reordering."""

SENDER_SILENCE = 10.0
"""An epoch older than the one in force is accepted once that one has been silent for so long (s). An epoch is the wall
clock at the sender's start: a member that restarts after its clock was set back comes with an older one and must not
be locked out for ever. The price: a datagram of an older epoch that never arrived may still be delivered by somebody
who kept it."""

EPOCHS = 8
"""Epochs remembered of one sender. A datagram of any of them is accepted once only: somebody who recorded two epochs
could else play them in turn, and feign for ever that a dead member speaks."""

_MASK = (1 << WINDOW_SIZE) - 1


class _Window:
    __slots__ = ("highest", "seen")

    def __init__(self, counter: int) -> None:
        self.highest = counter
        self.seen = 1  # bit n: highest - n was seen

    def fresh(self, counter: int) -> bool:
        ahead = counter - self.highest
        if ahead > 0:
            self.seen = (self.seen << ahead | 1) & _MASK if ahead < WINDOW_SIZE else 1
            self.highest = counter
            return True
        if -ahead >= WINDOW_SIZE or self.seen >> -ahead & 1:
            return False
        self.seen |= 1 << -ahead
        return True


class _Sender:
    __slots__ = ("epoch", "heard", "windows")

    def __init__(self, epoch: int, now: float) -> None:
        self.epoch = epoch
        self.heard = now
        self.windows: dict[int, _Window] = {}

    def fresh(self, epoch: int, counter: int, now: float) -> bool:
        if epoch < self.epoch and now - self.heard < SENDER_SILENCE:
            return False
        window = self.windows.get(epoch)
        if window is None:
            self.windows[epoch] = _Window(counter)
            if len(self.windows) > EPOCHS:
                del self.windows[next(iter(self.windows))]
        elif not window.fresh(counter):
            return False
        self.epoch, self.heard = epoch, now
        return True


class ReplayGuard:
    """The windows of the last `sources` senders; the one that was silent longest is forgotten first."""

    def __init__(self, sources: int = 16_384) -> None:
        self._sources = sources
        self._senders: dict[bytes, _Sender] = {}

    def __len__(self) -> int:
        return len(self._senders)

    def fresh(self, source: bytes, epoch: int, counter: int, now: float) -> bool:
        """Return whether a datagram is new, and remember it. `now` is in seconds of a clock that never goes back. Only
        for authentic datagrams: forged ones would fill the windows."""
        sender = self._senders.pop(source, None) or _Sender(epoch, now)
        self._senders[source] = sender
        if len(self._senders) > self._sources:
            del self._senders[next(iter(self._senders))]
        return sender.fresh(epoch, counter, now)
