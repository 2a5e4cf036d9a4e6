"""Makes the fakes of Docker and Toxiproxy importable: unit and contract tests share them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "fakes"))
