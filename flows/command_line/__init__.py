"""The `reelbatch` command. One module a command; Prefect and pandas are imported only by those that need them."""

from __future__ import annotations

from flows.command_line.app import main

__all__ = ["main"]
