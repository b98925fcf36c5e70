"""What a run says when it has ended: one JSON document, or a few lines."""

from __future__ import annotations

import resource
import time
from collections import deque
from collections.abc import Container, Iterable, Sequence
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path

from flows.command_line.talk import print_json, say
from pipelines.core.errors import ReelbatchError
from pipelines.core.events import Event, Observer
from pipelines.core.money import Balance
from pipelines.core.remote_folder import bucket_address, shown_place
from pipelines.core.text.amounts import buckets_text, money_text
from pipelines.core.text.sentences import sentence
from pipelines.ledger.balances import balances
from pipelines.ledger.callbacks import CallCounts, counts
from pipelines.ledger.ledger import LedgerReader
from pipelines.ledger.storage.place import LedgerPlace
from pipelines.run.ending import RunResult
from pipelines.run.progress import RunProgress


def remember(heard: deque[str], event: Event) -> None:
    """Keep what a person has just heard of a run."""
    if (said := sentence(event)) is not None:
        heard.append(said.words)


def tell_news(observe: Observer, known: Container[str], event: Event) -> None:
    """Pass on what happens, but for words that were said before the run began."""
    said = sentence(event)
    if said is None or said.words not in known:
        observe(event)


def unheard(reasons: Sequence[str], heard: Iterable[str]) -> list[str]:
    """Leave out the reasons that were the last words of the run: they need not be said again."""
    last = set(takewhile(lambda words: words in reasons, reversed(list(heard))))
    return [reason for reason in reasons if reason not in last]


def print_result(progress: RunProgress, result: RunResult, folder: Path, ledger: LedgerPlace) -> None:
    """Print what a run came to, for machines."""
    held = _held(progress, ledger)
    print_json(
        {
            "total": progress.total,
            "counts": {str(status): n for status, n in progress.counts.items() if n},
            "money": [balance.as_dict() for balance in held],
            "spent": {balance.currency: str(balance.spent) for balance in held},
            "rehearsal": progress.rehearsed,
            "exit_code": result.exit_code,
            "reasons": list(result.reasons),
            "warnings": list(result.warnings),
            "status_requests": result.status_requests,
            "callbacks": asdict(called) if (called := _called(progress, ledger)).asked else None,
            "generating_cpu_s": round(result.generating_cpu_s, 3),  # of this process, from first to last job
            "cpu_s": round(time.process_time(), 3),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "folder": shown_place(folder),
            "manifest": shown_place(folder / "manifest.jsonl"),
            "gallery": shown_place(folder / "gallery.html"),
        }
    )


def say_last_words(progress: RunProgress, folder: Path, ledger: LedgerPlace) -> None:
    """Say how many jobs stand where, what they cost, and where everything is."""
    called = _called(progress, ledger).words()
    say(" ".join(filter(None, (f"{progress.words()}.", money_words(progress, ledger), called))))
    near = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    for name, file in (("Manifest:", "manifest.csv"), ("Gallery: ", "gallery.html")):
        if (folder / file).exists():
            say(f"{name} {bucket_address(folder / file) or near / file}")


def money_words(progress: RunProgress, ledger: LedgerPlace) -> str:
    """Say what the run has cost, by the buckets of its ledger; a rehearsal says first that it was one."""
    held = _held(progress, ledger)
    if progress.rehearsed:
        return "Rehearsed, nothing was paid" + (f"; it {money_text(held, rehearsed=True)}." if held else ".")
    return f"Spent {buckets_text(held)}." if held else ""


def _called(progress: RunProgress, ledger: LedgerPlace) -> CallCounts:
    """How providers have called about the campaign."""
    try:
        return LedgerReader(ledger).read(counts, progress.calls_turned_away)
    except ReelbatchError:
        return CallCounts()


def _held(progress: RunProgress, ledger: LedgerPlace) -> list[Balance]:
    """What the ledger holds; it may have gone with its disk, then what was counted here must do."""
    try:
        return LedgerReader(ledger).read(balances)
    except ReelbatchError:
        return list(progress.held.values())
