"""The Prefect server that deployments live in, and the work pool that runs them."""

from __future__ import annotations

from contextlib import suppress

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import PREFECT_API_URL
from prefect.workers.process import ProcessWorker

from flows.command_line.prefect_api import check_prefect
from pipelines.core.errors import SetupError

POOL = "reelbatch"  #: the process pool of `reelbatch serve`


async def check_server() -> str:
    """Find the user's Prefect server, which must answer. Returns its address.

    Raises:
        SetupError: none is set, or it does not answer.
    """
    url = PREFECT_API_URL.value()
    if not url:
        raise SetupError(
            "Deployments live in a Prefect server, and none is set. Start one with `prefect server start`, and name it: "
            "export PREFECT_API_URL=http://127.0.0.1:4200/api"
        )
    await check_prefect()
    return str(url)


async def find_pool(name: str | None) -> str:
    """Find the work pool that was named, or our own process pool, which is made where it is missing.

    Raises:
        SetupError: there is none of that name.
    """
    async with get_client() as client:
        try:
            await client.read_work_pool(name or POOL)
        except ObjectNotFound:
            if name is not None:
                raise SetupError(
                    f"There is no work pool {name!r}. Make it with `prefect work-pool create {name} --type process`, "
                    "or leave out --work-pool: `reelbatch serve` then runs it on this machine."
                ) from None
            pool = WorkPoolCreate(
                name=POOL,
                type="process",
                description="Runs of reelbatch on the machine where `reelbatch serve` runs.",
                base_job_template=ProcessWorker.get_default_base_job_template(),
            )
            with suppress(ObjectAlreadyExists):  # another command has made it in this moment
                await client.create_work_pool(pool)
    return name or POOL
