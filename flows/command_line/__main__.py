"""`python -m flows.command_line` is `reelbatch`."""

from __future__ import annotations

from flows.command_line import main

main()
