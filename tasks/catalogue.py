"""Write the manifest, the enriched copy of the user's file, the thumbnails and the gallery."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from pipelines.catalogue.compilation import write_catalogue
from pipelines.core.errors import UploadFailed
from pipelines.run.run import current_run


@task(name="catalogue", task_run_name="catalogue", cache_policy=NO_CACHE, retries=1)
async def catalogue() -> int:
    """Derive the whole catalogue from the ledger. Returns how many rows it has; 0 where its bucket does not take it."""
    run = current_run()
    try:
        made = await write_catalogue(run.ledger, run.batch, run.folder, title=run.title, rehearsed=run.options.rehearse)
    except UploadFailed as error:  # what the run came to stands in the ledger, and is told all the same
        run.end(error)
        return 0
    run.missing = made.missing
    return made.rows
