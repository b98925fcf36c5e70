"""Who listens to a run in any case: the log, which Prefect carries into its UI."""

from __future__ import annotations

import logging

from pipelines.core.events import Event
from pipelines.core.text.sentences import log_line, sentence

#: What is said here is heard by whoever watches, so a handler that shows it to the same person leaves this logger out.
SAID = "reelbatch.said"
_log = logging.getLogger(SAID)


def write_log(event: Event) -> None:
    """Write what an event comes to in words into the log."""
    if (said := sentence(event) or log_line(event)) is not None:
        _log.log(said.level, said.words)
