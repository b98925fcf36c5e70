"""`make test`: format, lint, layers and types while the tests run, and how long each of them took.

`make test-long` (with the argument `long`) runs the tests that are left: stories over real processes. CI runs both.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BIN = Path(sys.executable).parent
#: The quick ones first; the slow one works beside the tests, and says what it has found at the end.
QUICK = {"format": ["ruff", "format", "--check", "."], "lint": ["ruff", "check", "."], "layers": ["lint-imports"]}
TYPES = ["mypy"]
#: Three workers on two cores: a third of the time is waiting for real servers and processes (4 min 2 s with two, 3 min 24 s).
TESTS = ["pytest", "-q", "-n", "3", "--dist", "worksteal", "--durations=10", "-m"]

#: Compiled modules are kept, whatever the shell says: the tests start a hundred processes. And sets have one order.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT |= {"PYTHONHASHSEED": "0"}


def timed(command: list[str], **options: bool) -> tuple[subprocess.CompletedProcess[str], float]:
    """Run a command of the environment; with how many seconds it took."""
    began = time.monotonic()
    ended = subprocess.run([BIN / command[0], *command[1:]], check=False, text=True, env=ENVIRONMENT, **options)
    return ended, time.monotonic() - began


def main() -> int:
    """Run every check, or the long tests alone.

    Returns:
        The exit code: that of the first check that is red.
    """
    began = time.monotonic()
    took = {}
    if sys.argv[1:] == ["long"]:
        tests, seconds = timed([*TESTS, "long"])
        print(f"make test-long took {_words(seconds)}")
        return tests.returncode
    for name, command in QUICK.items():
        ended, took[name] = timed(command)
        if ended.returncode:
            return ended.returncode
    with ThreadPoolExecutor() as beside:
        types = beside.submit(timed, TYPES, capture_output=True)
        tests, took["tests"] = timed([*TESTS, "not long"])
        checked, took["types"] = types.result()
    print(checked.stdout + checked.stderr, end="")
    parts = ", ".join(f"{name} {_words(seconds)}" for name, seconds in took.items())
    print(f"make test took {_words(time.monotonic() - began)}: {parts}")
    return tests.returncode or checked.returncode


def _words(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


if __name__ == "__main__":
    sys.exit(main())
