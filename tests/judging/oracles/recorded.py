"""Small histories on which a check and its oracle once disagreed, and what is right for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.judging.oracles import adapter
from tests.judging.oracles.case import RIGHT, SUSPECT, UNSURE, WRONG, Answer, Case

FOLDER = Path(__file__).parent / "disagreements"


@dataclass(frozen=True)
class Recorded:
    """One history of `disagreements/`, the check that was wrong about it, and the right answers."""

    name: str
    kind: str
    check: str
    right: Answer
    why: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    def case(self) -> Case:
        return Case(tuple(adapter.read_lines(FOLDER / f"{self.name}.ndjson")), self.fields)


RECORDED = (
    Recorded(
        "queue_lost_or_in_a_receive_without_an_answer", "queue", "no_loss", UNSURE,
        "a receive without an answer may have taken the one message that is missing",
    ),
    Recorded(
        "queue_lost_or_in_a_receive_without_an_end", "queue", "no_loss", UNSURE,
        "a receive that never ended may have taken the one message that is missing",
    ),
    Recorded(
        "queue_seen_empty_while_an_older_drain_is_under_way", "queue", "no_loss", WRONG,
        "the queue was seen empty; a drain that began earlier and got nothing does not undo that",
    ),
    Recorded(
        "converges_a_view_of_a_key_never_read", "versions", "converges", UNSURE,
        "nobody looked at key a in `truth` after its last write",
    ),
    Recorded(
        "converges_only_a_stale_read", "versions", "converges", SUSPECT,
        "the only read through the app is stale, a little too early to be judged",
        {"within": "1s"},
    ),
    Recorded(
        "versions_phantom_in_a_key_nobody_wrote", "versions", "no_phantoms", RIGHT,
        "what an untouched key holds was there before",
    ),
    Recorded(
        "versions_phantom_read_before_the_first_write_of_its_key", "versions", "no_phantoms", RIGHT,
        "somebody looked at key b before its first write: 0 was there",
    ),
    Recorded(
        "versions_phantom_tie_with_the_first_write", "versions", "no_phantoms", RIGHT,
        "the line of the read's end is before the line of the first write",
    ),
    Recorded(
        "register_refused_write_hides_the_initial_value", "register", "linearizable", RIGHT,
        "a refused write never happened, so the read came before the first write",
    ),
    Recorded(
        "register_reads_of_a_key_nobody_wrote", "register", "linearizable", UNSURE,
        "no written value was ever looked at",
    ),
    Recorded(
        "register_read_before_the_first_write_only", "register", "linearizable", UNSURE,
        "no written value was ever looked at",
    ),
    Recorded(
        "fresh_within_reads_of_a_key_nobody_wrote", "versions", "fresh_within", UNSURE,
        "no read could have been stale",
    ),
    Recorded(
        "set_phantom_refused_in_a_read_begun_before", "set", "no_phantoms", WRONG,
        "5 was refused and is there; a read begun before the first add is no look before it",
    ),
    Recorded(
        "lock_refused_release_and_another_holder", "lock", "mutual_exclusion", SUSPECT,
        "a refused release never happened: the first holder knew of no end when the second came",
    ),
    Recorded(
        "lock_no_release_succeeded", "lock", "mutual_exclusion", UNSURE, "no release succeeded",
    ),
    Recorded("fencing_no_release_succeeded", "lock", "fencing", UNSURE, "no release succeeded"),
    Recorded(
        "fencing_few_tokens", "lock", "fencing", UNSURE, "two of three acquisitions gave no token",
    ),
    Recorded(
        "stock_below_nothing_of_an_unknown_stock", "stock", "never_oversold", WRONG,
        "less than nothing is left, whatever there was",
    ),
    Recorded(
        "stock_tie_with_the_last_purchase", "stock", "never_oversold", RIGHT,
        "the line of the read's begin is before the line of the purchase's end: it is not final",
    ),
    Recorded(
        "conserved_tie_with_the_last_transfer", "bank", "conserved", RIGHT,
        "the line of the read's begin is before the line of the transfer's end: it is not final",
    ),
    Recorded(
        "set_lost_lines_out_of_order_and_a_tie", "set", "no_loss", WRONG,
        "lines out of order in time keep their order where times are equal: the read is final",
    ),
    Recorded(
        "queue_phantom_tie_with_the_first_send", "queue", "no_phantoms", RIGHT,
        "the line of the receive's end is before the line of the first send: 901 was there",
    ),
    Recorded(
        "events_gap_tie_with_the_subscription", "events", "no_gaps", RIGHT,
        "message 1 was acknowledged in a line before that of the subscription",
    ),
    Recorded(
        "events_resync_tie_with_the_reconnect", "events", "resync", WRONG,
        "message 2 was acknowledged in a line before that of the reconnect, and never known",
    ),
    Recorded(
        "set_twice_a_value_that_was_there_before", "set", "no_duplicates", RIGHT,
        "901 is nothing of this workload's, and no evidence",
    ),
    Recorded(
        "queue_twice_a_message_nobody_sent", "queue", "at_most_n_duplicates", RIGHT,
        "901 is nothing of this workload's, and no evidence",
    ),
    Recorded(
        "events_twice_a_message_nobody_published", "events", "at_most_n_duplicates", RIGHT,
        "901 is nothing of this workload's, and no evidence",
    ),
    Recorded(
        "versions_goes_back_reads_before_the_first_write", "versions", "never_goes_back", UNSURE,
        "nothing was there that a read could have gone back from",
    ),
    Recorded(
        "set_twice_nothing_in_the_window", "set", "no_duplicates", UNSURE,
        "nothing was added in the window", {"during": "faults"},
    ),
    Recorded(
        "set_twice_share_of_the_window", "set", "no_duplicates", WRONG,
        "the one value of the window is there twice: all of it, not a quarter",
        {"during": "faults", "at_most": "50%"},
    ),
    Recorded(
        "queue_order_nothing_in_the_window", "queue", "order", UNSURE,
        "nothing was received in the window", {"during": "faults"},
    ),
    Recorded(
        "queue_order_share_of_the_window", "queue", "order", WRONG,
        "one of the two messages of the window, not of all three",
        {"during": "faults", "at_most": "34%"},
    ),
    Recorded(
        "queue_order_of_one_message", "queue", "order", UNSURE, "one message has no order",
    ),
    Recorded(
        "events_order_nothing_in_the_window", "events", "order", UNSURE,
        "nothing was received in the window", {"during": "faults"},
    ),
    Recorded(
        "events_order_of_one_message", "events", "order", UNSURE, "one message has no order",
    ),
    Recorded(
        "events_nothing_heard_after_the_first_message", "events", "at_most_n_duplicates", UNSURE,
        "all that was received came before the first message",
    ),
)  # fmt: skip
