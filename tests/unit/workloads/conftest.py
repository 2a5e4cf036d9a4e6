"""Makes the misbehaving servers importable from both directories that use them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "probes"))
