"""Whether a signed datagram was seen before (the window of RFC 4303 section 3.4.3, per sender and epoch)."""

from __future__ import annotations

WINDOW = 1024
"""How far behind the highest counter a datagram may come, in counters. A sender counts over all its targets, so this
is about a hundred trains of reordering."""

SILENCE = 10.0
"""An epoch older than the one in force is accepted once that one has been silent for so long (s). An epoch is the wall
clock at the sender's start: a member that restarts after its clock was set back comes with an older one and must not
be locked out for ever. The price: who recorded a member's datagrams may replay them once, ten seconds after it fell
silent, and so feign for a while that it still asks. Nothing but counters of that one source depends on it."""


class _Sender:
    __slots__ = ("epoch", "heard", "highest", "window")

    def __init__(self, epoch: int, counter: int, now: float) -> None:
        self.epoch = epoch
        self.highest = counter
        self.window = 1  # bit n: highest - n was seen
        self.heard = now

    def fresh(self, counter: int) -> bool:
        ahead = counter - self.highest
        if ahead > 0:
            self.window = (self.window << ahead | 1) & _MASK if ahead < WINDOW else 1
            self.highest = counter
            return True
        if -ahead >= WINDOW or self.window >> -ahead & 1:
            return False
        self.window |= 1 << -ahead
        return True


_MASK = (1 << WINDOW) - 1


class ReplayGuard:
    """Remembers the last `sources` senders; the one longest unheard is forgotten first."""

    def __init__(self, sources: int = 16_384) -> None:
        self._sources = sources
        self._senders: dict[bytes, _Sender] = {}

    def __len__(self) -> int:
        return len(self._senders)

    def fresh(self, source: bytes, epoch: int, counter: int, now: float) -> bool:
        """Whether this datagram is new; `now` is seconds of a clock that never goes back. Call it only for what is
        authentic: it remembers."""
        sender = self._senders.pop(source, None)
        if sender is None or epoch > sender.epoch or (epoch < sender.epoch and now - sender.heard >= SILENCE):
            self._senders[source] = _Sender(epoch, counter, now)
            if len(self._senders) > self._sources:
                del self._senders[next(iter(self._senders))]
            return True
        self._senders[source] = sender
        if epoch < sender.epoch or not sender.fresh(counter):
            return False
        sender.heard = now
        return True
