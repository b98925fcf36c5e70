"""The receiver as a process of its own: beside the runs, with an inbox in the ledger that they share."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from pipelines.callbacks.addresses import KEYS_BY_ENVIRONMENT, SIGNED, check_public_url, keys_for
from pipelines.callbacks.inbox import SharedInbox
from pipelines.callbacks.listener import listener_on, listening
from pipelines.callbacks.metrics import ACCESS, ReceiverCounts
from pipelines.callbacks.receiver import Receiver
from pipelines.callbacks.signatures import secrets_of
from pipelines.core.errors import LedgerError, SetupError
from pipelines.ledger.storage.callback_keys import stored_keys
from pipelines.ledger.storage.place import (
    BY_ENVIRONMENT,
    LEDGER_NAME,
    FileLedger,
    LedgerPlace,
    address_text,
    place_named,
    place_remembered,
)

#: With Python's own 5 ms each statement of a write waits so long for an event loop that is flooded: 150 ms a call.
_SWITCH_S = 0.0002


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """What an operator chooses."""

    listen: str  # HOST:PORT
    public_url: str | None = None
    health_listen: str | None = None  # HOST:PORT of health and metrics
    insecure: bool = False


def place_to_serve(given: str | None, environment: Mapping[str, str]) -> LedgerPlace:
    """The ledger whose calls are taken: an output folder, a path, or a database with all its campaigns.

    Raises:
        LedgerError: nobody has said where it is, or it cannot be read.
    """
    text = given or environment.get(BY_ENVIRONMENT, "")
    if not text:
        raise LedgerError(
            f"Nobody has said which ledger the calls belong to. Give --ledger, or set {BY_ENVIRONMENT}: an output folder, "
            "or postgresql://host/database for all campaigns there."
        )
    if "://" in text or (path := Path(text).expanduser().absolute()).is_file():
        return place_named(text, Path.cwd(), "callbacks")
    if not path.is_dir():  # a folder that was mistyped would be served for ever, and nobody called
        raise LedgerError(
            f"There is no folder {path}. Give the output folder of a run; make it first if its run is still to come."
        )
    return place_remembered(path, environment, given) or FileLedger(path / LEDGER_NAME, path)


def rotate(place: LedgerPlace, environment: Mapping[str, str]) -> None:
    """Make a new key, and keep the one before it.

    Raises:
        SetupError: the keys are those of the environment, or cannot be written.
    """
    if environment.get(KEYS_BY_ENVIRONMENT, "").strip():
        raise SetupError(
            f"The keys are those of {KEYS_BY_ENVIRONMENT}: put a new one in front of the first there, and drop the last."
        )
    stored_keys(place, rotate=True)


async def serve_callbacks(
    place: LedgerPlace,
    options: ServiceOptions,
    environment: Mapping[str, str],
    answers: Mapping[str, str],
    say: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT; calls that were let in by then are written down and answered.

    Args:
        place: of the ledger.
        options: of the operator.
        environment: may have keys, and the secrets of providers that sign.
        answers: by provider, the text with which it wants its calls acknowledged.
        say: tells the operator where it listens.

    Raises:
        SetupError: it cannot listen there, others could read its tokens, or a key or secret is none.
    """
    if options.public_url is not None:
        check_public_url(options.public_url, insecure=options.insecure)
    keys, secrets = await asyncio.to_thread(keys_for, place, environment), secrets_of(environment)
    counts, left = ReceiverCounts(), asyncio.Event()
    sys.setswitchinterval(_SWITCH_S)
    log_calls()
    async with AsyncExitStack() as stack:
        inbox = await stack.enter_async_context(SharedInbox(place))
        receiver = Receiver(keys, inbox, counts, secrets, answers)
        listener = stack.enter_context(listener_on(options.listen, "--listen", insecure=options.insecure))
        health = None
        if options.health_listen is not None:
            health = stack.enter_context(
                listener_on(options.health_listen, "--health-listen", insecure=options.insecure)
            )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, left.set)
        port = await stack.enter_async_context(listening(receiver, listener, health))
        public = options.public_url or f"http://127.0.0.1:{port}"
        say(f"Callbacks for {address_text(place)} are taken on {options.listen}. Runs: --callback-url {public}")
        for name in secrets:
            say(f"Webhooks of {name}, to be set on its page: {keys.url(public, SIGNED, name)}")
        await left.wait()


def log_calls() -> None:
    """Write the log of calls to standard error, a line of JSON each."""
    log = logging.getLogger(ACCESS)
    log.setLevel(logging.INFO)
    log.propagate = False
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
