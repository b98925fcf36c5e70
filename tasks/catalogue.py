"""Write the manifest, the enriched copy of the user's file, the thumbnails and the gallery."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from pipelines.catalogue.compilation import write_catalogue
from pipelines.run.run import current_run


@task(name="catalogue", task_run_name="catalogue", cache_policy=NO_CACHE, retries=1)
async def catalogue() -> int:
    """Derive the whole catalogue from the ledger. Returns how many rows it has."""
    run = current_run()
    return await write_catalogue(run.ledger, run.batch, run.folder, title=run.title, rehearsed=run.options.rehearse)
