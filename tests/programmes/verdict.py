"""How a programme that looks for broken promises ends."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path


def leave(broken: Sequence[str], folder: Path) -> None:
    """Say what was broken and keep everything, or say that nothing was and take the folder away."""
    for complaint in broken:
        print(f"BROKEN: {complaint}")
    if broken:
        raise SystemExit(f"{len(broken)} promises broken; everything is kept in {folder}")
    shutil.rmtree(folder)
    print("Every promise kept.")
