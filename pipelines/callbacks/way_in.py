"""Whether calls come in: a call is sent to the public address, and must arrive at our own receiver behind it."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from pipelines.callbacks.addresses import MARK, PROOF, CallbackKeys, check_public_url, keys_for
from pipelines.callbacks.listener import host_and_port, listener_on, listening
from pipelines.callbacks.metrics import ReceiverCounts
from pipelines.callbacks.receiver import Receiver
from pipelines.core.errors import ReelbatchError
from pipelines.ledger.storage.place import LedgerPlace
from pipelines.net.http import Http

_ANSWER_S = 15.0
_PROXY_ALONE = (502, 503, 504)  # as a proxy answers that has nobody behind it


async def prove_way_in(
    url: str, listen: str, place: LedgerPlace | None, environment: Mapping[str, str], *, insecure: bool = False
) -> tuple[bool, str]:
    """Call ourselves through a public address.

    Args:
        url: under which the receiver is reached from outside.
        listen: HOST:PORT to which the proxy or tunnel leads: nobody listens there, or `reelbatch callbacks` does.
        place: of the ledger whose keys a running receiver has; None: the environment has them.
        environment: may have keys.
        insecure: plain http is all right anywhere.

    Returns:
        Whether the call arrived, and in words what was found.
    """
    try:
        public = check_public_url(url, insecure=insecure)
        async with _somebody_who_listens(listen, place, environment, insecure=insecure) as (keys, who), Http() as http:
            subject = secrets.token_hex(16)
            address = keys.url(public, PROOF, subject)
            right, forged = [
                await http.ask("POST", target, headers={}, content=b"{}", deadline_s=_ANSWER_S)
                for target in (address, address[:-8] + "AAAAAAAA")
            ]
    except ReelbatchError as error:
        return False, re.sub(rf"{MARK}[^\s:]*", "", str(error))  # the rest of the address says nothing to a person
    if right.status in _PROXY_ALONE:
        return False, (
            f"a proxy answers there (HTTP {right.status}), and does not reach {who}: look where it leads, and whether the "
            "tunnel stands"
        )
    if not keys.is_answer(subject, right.body.decode("utf-8", "replace").strip()):
        return False, (
            f"somebody else answers there (HTTP {right.status}), and not {who}: look where the proxy or tunnel leads"
        )
    if forged.status != 404:  # noqa: PLR2004 - as HTTP calls it
        return False, f"a call without the right token is answered with HTTP {forged.status} instead of 404"
    return True, f"a call through it arrives at {who}, and one with a wrong token does not get in"


@asynccontextmanager
async def _somebody_who_listens(
    listen: str, place: LedgerPlace | None, environment: Mapping[str, str], *, insecure: bool
) -> AsyncIterator[tuple[CallbackKeys, str]]:
    """Listen there, with a key of the moment; or, where somebody does already, take them for our receiver.

    Raises:
        SetupError: nobody can, or nobody says whose keys whoever listens has.
        LedgerError: the keys of the ledger cannot be read.
    """
    async with AsyncExitStack() as stack:
        try:
            _, writer = await asyncio.open_connection(*host_and_port(listen, "--callback-listen"))
        except OSError:
            keys, who = CallbackKeys.of((secrets.token_hex(32),)), f"this process on {listen}"
            listener = stack.enter_context(listener_on(listen, "--callback-listen", insecure=insecure))
            await stack.enter_async_context(listening(Receiver(keys, None, ReceiverCounts()), listener))
        else:
            writer.close()
            keys, who = keys_for(place, environment), f"the receiver that runs on {listen}"
        yield keys, who
