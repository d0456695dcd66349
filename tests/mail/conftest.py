"""Shape of growth for parsers that must be linear: a ratio, not seconds."""

import time
from collections.abc import Callable

import pytest


@pytest.fixture
def growth() -> Callable[[Callable[[int], object]], None]:
    """Fails when eight times the input takes more than thirty times as long: quadratic work takes 64 times."""

    def best_of(work: Callable[[int], object], size: int) -> float:
        taken = []
        for _ in range(3):
            start = time.process_time()
            work(size)
            taken.append(time.process_time() - start)
        return min(taken)

    def check(work: Callable[[int], object]) -> None:
        # Less than a millisecond says nothing, and is no trouble either.
        small, large = best_of(work, 1_000), best_of(work, 8_000)
        assert large < 30 * max(small, 0.001)

    return check
