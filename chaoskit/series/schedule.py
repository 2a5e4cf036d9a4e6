"""In which order two variants take their turns."""

from __future__ import annotations


def in_turns(rounds: int) -> list[int]:
    """Return which of two variants, 0 or 1, runs when: each `rounds` times, in the order A B B A.

    A drift that goes on all the time then adds the same to both sums; of an odd number of rounds,
    all but the last.
    """
    return [side ^ (number % 2) for number in range(rounds) for side in (0, 1)]
