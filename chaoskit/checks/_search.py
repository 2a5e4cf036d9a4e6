"""Wing-Gong-Lowe search: is there an order of a key's operations that a register allows?

Wing & Gong, "Testing and verifying concurrent objects" (1993): depth first, take an operation that
may come next, try it, go back where nothing may. Lowe, "Testing for linearizability" (2017):
remember every (set of operations taken, state), so that none is tried twice. Each key is searched
on its own (Herlihy & Wing 1990: linearizability is local). The budget is counted in steps and not
in seconds, so that the same history always gets the same answer.

An operation that may never have happened (`info`) is optional: it need not be taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STEPS_PER_SECOND = 400_000  # candidates tried; what a slow machine does in a second of budget
FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of a register: `needs` is the state it requires, `sets` the one it leaves.

    None of them means any, or unchanged. States are small numbers. `start` and `end` are places
    in the history; an `end` of infinity makes the operation optional. `label` is whatever the
    caller wants to find it by.
    """

    start: float
    end: float
    needs: int | None
    sets: int | None
    label: int


@dataclass(frozen=True, slots=True)
class Stuck:
    """Where the search got furthest: the call that fits nowhere, and what it took before."""

    call: Call
    taken: tuple[Call, ...]  # the last few, oldest first
    state: int


class Search:
    """One key's search. `run` may be called again and again until it knows."""

    def __init__(self, calls: Sequence[Call], state: int, states: int) -> None:
        """`states` is how many states there are; they count from 0, and `state` is the first."""
        self.calls = sorted(calls, key=lambda call: call.start)
        self.optional = sum(call.end == FOREVER for call in self.calls)
        self.stuck: Stuck | None = None
        self._state = state
        self._seen: set[int] = set()
        self._stack: list[tuple[int, int, int, int, int]] = []
        self._left = len(self.calls) - self.optional
        self._base = self._mask = self._options = 0
        self._best = -1
        self._state_bits = max(states, 1).bit_length()
        self._base_bits = len(self.calls).bit_length()
        self._link()
        self._at = self._next[-1]

    def _link(self) -> None:
        """Make one list of calls and returns in order of the history; its head is the last."""
        entries: list[tuple[float, int, bool]] = []
        for place, call in enumerate(self.calls):
            entries.append((call.start, place, True))
            if call.end != FOREVER:
                entries.append((call.end, place, False))
        entries.sort(key=lambda entry: entry[0])
        total = len(entries)
        self._call_at = [place if is_call else -1 - place for _, place, is_call in entries]
        self._entry = [0] * len(self.calls)
        self._return = [-1] * len(self.calls)
        for index, (_, place, is_call) in enumerate(entries):
            (self._entry if is_call else self._return)[place] = index
        self._next = [*range(1, total), -1, 0 if total else -1]
        self._previous = [*range(-1, total - 1), total - 1]
        self._number()

    def _number(self) -> None:
        """Give required and optional calls separate bits, and chain what is the same."""
        required = optional = 0
        self._bit: list[int] = []
        self._same: list[int] = []  # the bit of an equal optional call that must go first, or 0
        last: dict[tuple[int | None, int | None], int] = {}
        for call in self.calls:
            if call.end == FOREVER:
                shape = (call.needs, call.sets)
                self._bit.append(optional)
                self._same.append(last.get(shape, 0))
                last[shape] = 1 << optional
                optional += 1
            else:
                self._bit.append(required)
                self._same.append(0)
                required += 1
        self._needs = [-1 if call.needs is None else call.needs for call in self.calls]
        self._sets = [-1 if call.sets is None else call.sets for call in self.calls]

    def run(self, steps: int) -> bool | None:  # noqa: PLR0912, PLR0915  # one loop, for speed
        """Search for so many more steps: True if an order exists, False if none, None: not known.

        A read that fits is taken at once and never reconsidered: it changes nothing, so whatever
        comes after it could also come with it.
        """
        nxt, previous, call_at, entry, returns = (
            self._next,
            self._previous,
            self._call_at,
            self._entry,
            self._return,
        )
        needs, sets, bits, same = self._needs, self._sets, self._bit, self._same
        state, base, mask, options = self._state, self._base, self._mask, self._options
        seen, stack, left, at = self._seen, self._stack, self._left, self._at
        many, state_bits, base_bits = self.optional, self._state_bits, self._base_bits
        answer: bool | None = None
        while True:
            if not left:
                answer = True
                break
            if steps <= 0:
                break
            steps -= 1
            place = call_at[at]
            if place >= 0:
                wanted = needs[place]
                if wanted in (-1, state) and (same[place] & ~options) == 0:
                    becomes = sets[place]
                    to_state = state if becomes < 0 else becomes
                    to_base, to_mask, to_options = base, mask, options
                    if returns[place] < 0:
                        to_options |= 1 << bits[place]
                    else:
                        to_mask |= 1 << (bits[place] - base)
                        while to_mask & 1:
                            to_mask >>= 1
                            to_base += 1
                    key = (to_mask << many) | to_options
                    key = (((key << state_bits) | to_state) << base_bits) | to_base
                    if key not in seen:
                        seen.add(key)
                        stack.append((place, state, base, mask, options))
                        for index in (at, returns[place]):
                            if index >= 0:
                                nxt[previous[index]] = nxt[index]
                                previous[nxt[index]] = previous[index]
                        left -= returns[place] >= 0
                        state, base, mask, options = to_state, to_base, to_mask, to_options
                        at = nxt[-1]
                        continue
                at = nxt[at]
                continue
            if len(stack) > self._best:
                self._best = len(stack)
                self._note(-1 - place, state)
            if not stack:
                answer = False
                break
            place, state, base, mask, options = stack.pop()
            for index in (returns[place], entry[place]):
                if index >= 0:
                    nxt[previous[index]] = index
                    previous[nxt[index]] = index
            left += returns[place] >= 0
            # After a read, `at` stays on a return, which goes back one further.
            at = nxt[entry[place]] if sets[place] >= 0 else at
        self._state, self._base, self._mask, self._options = state, base, mask, options
        self._left, self._at = left, at
        if answer is not None:
            seen.clear()
        return answer

    def _note(self, place: int, state: int) -> None:
        taken = tuple(self.calls[frame[0]] for frame in self._stack[-5:])
        self.stuck = Stuck(self.calls[place], taken, state)


def decide(searches: Sequence[Search], steps: int) -> tuple[list[int], list[int]]:
    """Search all keys within one budget of steps: return the places of the bad and the undecided.

    The keys take turns, each turn four times as long as the one before: one hard key does not keep
    an easy answer from being found. The first round that finds a bad key is the last.
    """
    open_keys = list(range(len(searches)))
    bad: list[int] = []
    turn = 2_000
    while open_keys and not bad and steps > 0:
        still = []
        for place in open_keys:
            allowance = min(turn, steps)
            answer = searches[place].run(allowance) if allowance > 0 else None
            if answer is None:
                still.append(place)
                steps -= allowance
            elif answer is False:
                bad.append(place)
        open_keys = still
        turn *= 4
    return bad, open_keys
