"""What every coordinator has to derive alike of a notice, so that its receivers can drop doubles."""

from __future__ import annotations

from hashlib import sha256

from kubesonar.model import Condition

ID_DIGITS = 32
"""Length of a notice's id, in hex digits: 128 bits."""


def notice_id(subject: str, epoch: int, what: Condition, turn: int = 0) -> str:
    """The id of a transition of the member `subject` (of that `epoch`) to `what`. `turn` tells two transitions of one
    epoch to the same condition apart; it has to be a number that all members hear alike, as the incarnation with which
    a member refutes a suspicion. For the status after an election the epoch is the election's."""
    text = f"{len(subject)}:{subject} {epoch} {what.value} {turn}"
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:ID_DIGITS]
