"""A campaign as a subflow, of a batch that is read already."""

from __future__ import annotations

from typing import Any

from flows.campaign import campaign
from pipelines.batch import Batch
from pipelines.core.errors import AttentionNeeded, SetupError
from pipelines.core.remote_folder import shown_place
from pipelines.run.options import RunOptions
from pipelines.run.progress import RunProgress
from pipelines.run.result import CampaignResult
from pipelines.run.run import RunContext, handed_over, handing_over


async def make_campaign(batch: Batch, options: RunOptions) -> CampaignResult:
    """Run one campaign. The same context each time, so that who started us can interrupt it.

    Args:
        batch: the batch.
        options: of the run.

    Returns:
        What it came to, also where a person must look.

    Raises:
        AttentionNeeded: it was cancelled by a person.
        ReelbatchError: it could not begin; nothing was sent.
    """
    context = handed_over() or RunContext()
    context.batch, context.options, context.progress, context.result = batch, options, RunProgress(), None
    with handing_over(context):
        state: Any = await campaign(
            batch=str(batch.path),
            rehearse=options.rehearse,
            budget=None if options.budget is None else float(options.budget),
            provider=options.provider,
            out=None if options.out is None else shown_place(options.out),
            in_flight=options.in_flight,
            per_minute=options.per_minute,
            advanced=options.advanced(),
            return_state=True,
        )
    if state.is_cancelled():  # that one campaign, by a person: it is not to begin again by itself
        raise AttentionNeeded(state.message or "It was cancelled.")
    ended = await state.aresult(raise_on_failure=False)
    if isinstance(ended, AttentionNeeded) and ended.result is not None:
        ended = ended.result
    if isinstance(ended, BaseException):
        raise ended
    assert isinstance(ended, CampaignResult)
    return ended


def refuse_without_consent(options: RunOptions, *, yes: bool, rehearsal: bool) -> None:
    """Refuse to order what nobody has agreed to pay for.

    Raises:
        SetupError: neither a budget nor a yes, and it is no rehearsal.
    """
    if options.budget is None and not (yes or rehearsal):
        raise SetupError(
            "This would be paid for, and nobody has agreed to that. Nothing was sent. Say the most that it may cost "
            "(`budget`: 2.50), or `yes` for whatever it costs."
        )
