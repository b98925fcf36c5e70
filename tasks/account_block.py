"""Accounts of providers as blocks of Prefect, for workers whose environment has no key. The environment comes first.

Prefect loads this module by its entry point, also in a server that runs in our environment, which is kept from standing still.
"""

from __future__ import annotations

import logging
import sys

from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from pydantic import Field, SecretStr

from tasks.server_garbage import collect_garbage_apart, is_prefect_server

PREFIX = "reelbatch-"  #: of a block's name; what follows is the name of the provider
log = logging.getLogger("reelbatch")

if is_prefect_server(sys.orig_argv):
    collect_garbage_apart()


class ProviderAccount(Block):
    """The account with one provider of videos. Name it `reelbatch-<provider>`, such as `reelbatch-qiniu`."""

    _block_type_name = "reelbatch Provider Account"
    _block_type_slug = "reelbatch-provider-account"

    api_key: SecretStr = Field(description="API key. Used where the environment of a run has none.")
    base_url: str | None = Field(None, description="Another address of the API. Default: that of the provider.")


async def accounts_in_blocks() -> dict[str, str]:
    """Read the accounts that are kept in blocks, as variables that the environment might have had.

    Returns:
        `QINIU_API_KEY` and perhaps `QINIU_BASE_URL` for the block `reelbatch-qiniu`. Nothing where Prefect does not answer.
    """
    try:
        async with get_client() as client:
            await client.read_block_type_by_slug(ProviderAccount.get_block_type_slug())
            found = await client.read_block_documents_by_type(
                ProviderAccount.get_block_type_slug(), include_secrets=True
            )
    except ObjectNotFound:  # nobody has made one
        return {}
    except Exception as error:  # noqa: BLE001 - the environment may have all that is needed
        log.info("Accounts in blocks of Prefect could not be read (%s).", type(error).__name__)
        return {}
    variables = {}
    for block in found:
        provider = (block.name or "").removeprefix(PREFIX).upper().replace("-", "_")
        for what, value in block.data.items():
            if (block.name or "").startswith(PREFIX) and value:
                variables[f"{provider}_{what.upper()}"] = str(value)
    return variables
