from __future__ import annotations

import subprocess
import sys


def test_importing_the_room_is_light():
    """Tables, templates and pictures are loaded by those who use them, not by `--help`."""
    code = "import sys, pipelines.catalogue; print([n for n in ('av', 'pandas', 'pyarrow', 'PIL', 'jinja2') if n in sys.modules])"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
