"""The generated parts of docs/glossary.md: statuses, columns of the manifest, money, `billed`, callbacks, exit codes.

Run it as `make docs`. It writes between the markers of the page and leaves the rest alone; tests/test_docs.py fails where
the committed page is not what this would write, or where something has no words here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pipelines.catalogue.manifest_row import COLUMNS, ManifestRow
from pipelines.core.status import MEANINGS, AttemptState, Billed, JobStatus
from pipelines.ledger.callbacks import Called
from pipelines.run import exit_code

HOUSE = Path(__file__).parents[2]
PAGE = HOUSE / "docs" / "glossary.md"

COLUMN_WORDS = {
    "id": "the name of the job: from your `id` column, or made of the prompt; further takes end in `-t2`, `-t3`",
    "row": "which row of the batch file it came from, 1 for the first below the header",
    "campaign": "the name of the batch, or what your column `campaign` says",
    "take": "1 for the first video of a row, 2 for the second; each is a purchase of its own",
    "status": "where it stands: see [statuses](#statuses)",
    "provider": "who made it, or is asked to; a fallback shows here once it was turned to",
    "model": "which of the provider's models",
    "prompt": "the prompt as it was sent, templates filled in",
    "prompt_sha256": "the digest of the prompt, to find equal prompts without reading them",
    "params": "everything else that was ordered: length, size, images, the provider's own parameters; no secrets",
    "task_id": "the provider's id of the job: what its support asks for; empty until it was accepted",
    "trace_id": "a second id that some providers give for their support",
    "attempts": "how many orders were sent for it; at most one of them can have been paid without your asking",
    "submitted_at": "when the order was sent",
    "completed_at": "when the provider says that it was finished",
    "downloaded_at": "when the file was on disk, verified",
    "url_expires_at": "until when the provider keeps the file; the link itself is not kept",
    "duration_s": "the length of the clip as measured, in seconds",
    "width": "pixels, as measured",
    "height": "pixels, as measured",
    "fps": "frames a second, as measured",
    "has_audio": "whether there is a sound track",
    "bytes": "the size of the file",
    "sha256": "the digest of the file",
    "path": "the file, relative to the output folder; further clips of one job stand in `flags` as `also:...`",
    "storage_uri": "where the clip is in a bucket; empty where files are kept in the output folder only",
    "source_host": "the host that the file came from",
    "cost_estimated": "the price from the provider's list, before anything was sent",
    "cost_actual": "what is surely charged, over all its submissions; empty while that is open",
    "cost_reserved": "what is set aside for a submission on its way, or at the provider",
    "cost_uncertain": "what may be charged, and nobody here knows: in doubt, or the provider does not say",
    "cost_basis": "on what these amounts rest: `list` is the provider's, `assumed` is a stand-in of ours, `rehearsed` was not paid",
    "callback": "what came of asking its provider to call: see [callbacks](#callbacks); empty where it was not asked",
    "currency": "of both costs",
    "billed": "whether the provider charges for it: see [billed](#billed)",
    "error_code": "the reason in one word, the provider's own where it gave one",
    "error_message": "the reason in words",
    "failed_stage": "where it went wrong: `submit` (ordering), `generate` (at the provider), `download`",
    "flags": "in what the clip differs from the order: see [flags](#flags)",
    "review": "empty: what you think of it has no place yet",
    "tags": "yours, from the batch file",
}
EXIT_WORDS = {
    0: ("all done, or all that `--limit` or `--only` asked for", "nothing"),
    1: ("some rows have failed, everything else is done", "`failed.csv` has those that can be ordered again"),
    2: (
        "bad input or set-up: the batch, an option, a key, the folder; nothing was bought",
        "read the message, mend it",
    ),
    3: ("stopped by the budget, or by an empty balance", "raise `--budget` or top up, and run the same command again"),
    4: (
        "something is parked, in doubt or unfinished",
        "`reelbatch status DIR` says what; often the same command again",
    ),
    130: ("interrupted by Ctrl-C or a signal", "run the same command again"),
}
BILLED_WORDS = {
    Billed.YES: "the provider has delivered, or charges for such an end all the same",
    Billed.NO: "nothing was sent, or the provider's rules say that such an end is free",
    Billed.UNKNOWN: "open: it is under way or in doubt, or the provider does not say",
}
CALLED_WORDS = {
    Called.RECEIVED: "the provider has called while the job was open here, so that it was asked about at once",
    Called.LATE: "it has called only when the job had ended here; nothing is changed by that",
    Called.REFUSED: "whoever has called with the address of this job named another one, and was not followed",
    Called.MISSED: "the job has ended, found by asking, and nobody has called",
    Called.AWAITED: "the job goes on, and nobody has called yet",
}
ATTEMPT_WORDS = {
    AttemptState.CLAIMED: ("the job and its price are reserved; surely nothing was sent", "reserved"),
    AttemptState.SENDING: ("committed in the last instant before the first byte", "reserved"),
    AttemptState.NOT_SENT: ("it ended before the first byte, so the job may be tried again", "nothing"),
    AttemptState.IN_DOUBT: ("it was sent, and nobody knows whether it was accepted", "uncertain"),
    AttemptState.ACCEPTED: ("the provider gave an id", "reserved, then spent"),
    AttemptState.REJECTED: ("the provider surely refused it", "nothing"),
    AttemptState.CLOSED: ("it was accepted and has ended without a video", "spent, uncertain or nothing, by the provider's rules"),
}  # fmt: skip
_NEXT_RUN = {JobStatus.SUBMITTING: "Surely not sent: it is sent now. Perhaps sent: it is in doubt."}
_KINDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Decimal: "amount", datetime: "time"}


def rewritten(page: str) -> str:
    """The page with its generated parts as they should be."""
    parts: dict[str, Callable[[], Iterator[str]]] = {
        "statuses": statuses,
        "columns": columns,
        "exit_codes": exit_codes,
        "billed": billed,
        "attempts": attempts,
        "called": called,
    }

    def anew(match: re.Match[str]) -> str:
        return "\n".join([match[1], "", *parts[match[2]](), "", "<!-- end -->"])

    return re.sub(r"(<!-- begin: (\w+) -->)\n.*?<!-- end -->", anew, page, flags=re.DOTALL)


def statuses() -> Iterator[str]:
    """Every status of a job, in the order of a job's life."""
    yield from _table(
        ("status", "on the terminal", "what it means", "what you can do", "what the next run does"),
        [
            (f"`{status}`", status.label, meaning.words, meaning.advice or "nothing is needed", next_run(status))
            for status, meaning in ((status, MEANINGS[status]) for status in JobStatus)
        ],
    )


def next_run(status: JobStatus) -> str:
    """What the same command does with such a job when it is run again."""
    meaning = MEANINGS[status]
    if said := _NEXT_RUN.get(status, meaning.next_run):
        return said
    if meaning.unsent:
        return "It looks at the row again, and sends it if it is switched on, affordable, and what it remixes is made."
    return (
        "It leaves it alone, unless the row now asks for something else." if meaning.editable else "It leaves it alone."
    )


def columns() -> Iterator[str]:
    """Every column of the manifest, in its order."""
    fields = ManifestRow.model_fields
    yield from _table(
        ("column", "holds", "meaning"),
        [
            (f"`{name}`", kind(fields[name].annotation), fields[name].description or COLUMN_WORDS.get(name, ""))
            for name in COLUMNS
        ],
    )


def kind(annotation: Any) -> str:
    """The type of a column in a word: `AwareDatetime | None` is `time`."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "one word"
    if get_origin(annotation) in (tuple, dict):
        return {tuple: "list", dict: "mapping"}[get_origin(annotation)]
    if get_origin(annotation) is Union or type(annotation).__name__ == "UnionType":
        return kind(next(part for part in get_args(annotation) if part is not type(None)))
    return _KINDS.get(annotation, "time" if "Datetime" in str(annotation) else "text")


def codes() -> list[int]:
    """The exit codes that a run can end with."""
    return sorted(value for name, value in vars(exit_code).items() if name.isupper() and type(value) is int)


def exit_codes() -> Iterator[str]:
    """Every exit code."""
    rows = [(f"`{code}`", *EXIT_WORDS.get(code, ("", ""))) for code in codes()]
    yield from _table(("code", "what it says", "what to do"), rows)


def billed() -> Iterator[str]:
    """The values of `billed`."""
    yield from _table(("value", "meaning"), [(f"`{value}`", BILLED_WORDS.get(value, "")) for value in Billed])


def called() -> Iterator[str]:
    """What came of asking a provider to call about a job."""
    yield from _table(("value", "meaning"), [(f"`{value}`", CALLED_WORDS.get(value, "")) for value in Called])


def attempts() -> Iterator[str]:
    """The states of one paid submission, and where its price counts."""
    rows = [(f"`{state}`", *ATTEMPT_WORDS.get(state, ("", ""))) for state in AttemptState]
    yield from _table(("state", "meaning", "its price is"), rows)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    yield from (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)


def main() -> int:
    """Write the page."""
    PAGE.write_text(rewritten(PAGE.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
