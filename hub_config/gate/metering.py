"""What one session has sent to its browser, against its budget. Pure; knows bytes only."""

from __future__ import annotations

from dataclasses import dataclass

RESERVE = 1 << 20  # bytes past the budget, for the answers to saves only
SAVE_CAP = 64 << 10  # bytes of one such answer


@dataclass(slots=True, kw_only=True)
class Meter:
    """Bytes sent and the budget [bytes]; a budget of None only counts."""

    budget: int | None
    sent: int = 0

    def take(self, size: int, *, saves: bool = False) -> bool:
        """Count what is about to be sent; False when it may not be."""
        if not self.fits(size, saves=saves):
            return False
        self.sent += size
        return True

    def fits(self, size: int, *, saves: bool = False) -> bool:
        """Whether an answer of a known size may be begun; one that does not fit ends the budget."""
        if self.budget is not None and self.sent + size > self.budget + (RESERVE if saves else 0):
            self.sent = max(self.sent, self.budget)  # the rest is not to be taken in small pieces
            return False
        return True

    @property
    def spent(self) -> bool:
        """Whether the budget is used up."""
        return self.budget is not None and self.sent >= self.budget
