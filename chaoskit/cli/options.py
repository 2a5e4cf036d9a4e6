"""Options that several commands have. Like `main` it imports nothing heavy."""

from pathlib import Path
from typing import Annotated

import typer

RunsDir = Annotated[Path, typer.Option(help="Where run folders are.")]
RUNS = Path(".chaoskit/runs")
