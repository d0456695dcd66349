"""When a message that could not be delivered is tried again, and when that ends (RFC 5321 §4.5.4.1). Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """Pauses double from attempt to attempt; first pause and attempts are those of the configuration."""

    #: After the first attempt.
    first_pause_seconds: float = 450
    #: Added or taken away at random, at most, and doubled too: what failed together is not tried again together.
    spread_seconds: float = 5
    #: The last one is final.
    attempts: int = 8
    #: After so many a sender who wants to know is told of the delay.
    delay_notice_attempts: int = 5

    def last(self, max_attempts: int) -> int:
        """How many attempts a message gets; 0 leaves it to the schedule."""
        return max_attempts or self.attempts

    def pause_seconds(self, attempts: int, chance: float) -> float:
        """How long after attempt number `attempts` the next one comes; `chance` from 0 to 1."""
        return (self.first_pause_seconds + self.spread_seconds * (2 * chance - 1)) * float(1 << (attempts - 1))

    def remaining_seconds(self, attempts: int, max_attempts: int) -> float:
        """How long after attempt number `attempts` the last one comes, about."""
        later = range(attempts, self.last(max_attempts))
        return sum(self.pause_seconds(number, 0.5) for number in later)


SCHEDULE = Schedule()
