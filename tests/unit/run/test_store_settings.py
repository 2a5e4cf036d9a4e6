"""What counts as another setting of a store, between two looks at a stack."""

from __future__ import annotations

import pytest

from chaoskit.run.store_settings import StoreSettings

BEFORE = StoreSettings({"redis[1]": {"maxmemory": "0", "save": ""}}, {"db[1]": "no login"})


@pytest.mark.parametrize(
    ("read", "changed"),
    [
        ({"redis[1]": {"maxmemory": "0", "save": ""}}, []),
        ({"redis[1]": {"maxmemory": "1", "save": ""}}, ["maxmemory of redis[1]"]),
        ({"redis[1]": {"maxmemory": "0"}}, ["save of redis[1]"]),
        ({"redis[1]": {"maxmemory": "0", "save": "", "new": ""}}, ["new of redis[1]"]),
        ({}, ["settings of redis[1]"]),
    ],
)
def test_what_is_set_otherwise_or_cannot_be_read_any_more_is_a_difference(
    read: dict[str, dict[str, str]], changed: list[str]
) -> None:
    assert BEFORE.differences(StoreSettings(read, {})) == changed


def test_a_store_that_was_not_read_before_is_not_compared() -> None:
    later = StoreSettings({**BEFORE.read, "db[1]": {"work_mem": "4MB"}}, {})
    assert BEFORE.differences(later) == []
    assert BEFORE.lost(later) == []
