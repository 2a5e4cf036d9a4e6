"""The names under which checks know what `text` and `numeric` have."""

from chaoskit.numeric import above
from chaoskit.text import count, moment, percent
from chaoskit.text import seconds_text as length

__all__ = ["above", "count", "length", "moment", "percent"]
