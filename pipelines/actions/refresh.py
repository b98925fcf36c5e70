"""A run that has nothing to do: its catalogue is written anew from the ledger, and it says how things stand."""

from __future__ import annotations

from pipelines.batch import Batch
from pipelines.catalogue.compilation import write_catalogue
from pipelines.ledger import views
from pipelines.ledger.balances import balances
from pipelines.ledger.callbacks import jobs_to_rescue
from pipelines.ledger.ledger import Ledger
from pipelines.run.ending import RunResult, warnings_of
from pipelines.run.exit_code import exit_code, open_beside
from pipelines.run.opening import is_work_left
from pipelines.run.options import RunOptions
from pipelines.run.output_folder import output_folder, title_of
from pipelines.run.run import RunContext


async def refresh(batch: Batch, options: RunOptions, ledger: Ledger, context: RunContext) -> bool:
    """Write the catalogue, and fill in the counts and the result, if there is nothing else to do.

    Args:
        batch: registered in the ledger.
        options: of the run.
        ledger: open.
        context: whose counts and result are filled in.

    Returns:
        Whether that was all; else nothing was done.

    Raises:
        SetupError: the ledger cannot be read, or the folder not be written.
    """
    states, orphans = await ledger.write(views.states), await ledger.write(views.orphans)
    called_about = await ledger.write(jobs_to_rescue)
    if called_about or is_work_left(batch, options, states, orphans):
        context.states = states
        return False
    ids = dict.fromkeys(job.id for job in (*batch.jobs, *orphans))
    context.progress.begin(
        (states[job_id].status for job_id in ids if states[job_id].counts), await ledger.write(balances)
    )
    folder, title = output_folder(batch, options), title_of(batch, options)
    made = await write_catalogue(ledger, batch, folder, title=title, rehearsed=options.rehearse)
    changed = [each.change for each in await ledger.write(views.changed_rows)]
    code = exit_code(context.progress.counts + open_beside(states))
    warnings = warnings_of(changed, made.missing, folder)
    context.result = RunResult(code, (), status_requests=0, generating_cpu_s=0.0, warnings=warnings)
    return True
