"""`reelbatch resolve`: a person settles a payment in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.command_line.arguments import AsJson, OutputFolder, ProfileFiles
from flows.command_line.talk import print_json, say, show_warnings

if TYPE_CHECKING:
    from pipelines.actions.evidence import Evidence

NAME = "resolve"


def command(
    folder: OutputFolder,
    job_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="A job, by its id. Default: show all that are in doubt.")
    ] = None,
    adopt: Annotated[
        str | None, typer.Option("--adopt", metavar="TASK_ID", help="It was bought: this is the provider's id of it.")
    ] = None,
    not_charged: Annotated[
        bool, typer.Option("--not-charged", help="It was not bought: give its price back; the next run buys it.")
    ] = False,
    charged: Annotated[
        bool, typer.Option("--charged", help="It was charged and there is no clip: it has failed.")
    ] = False,
    resubmit: Annotated[
        bool, typer.Option("--resubmit", help="Buy it, perhaps for the second time; the first price stays uncertain.")
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", help="Do not ask; adopt an id that the provider does not know; take one back that a person gave."
        ),
    ] = False,
    profile: ProfileFiles = None,
    as_json: AsJson = False,
) -> None:
    """Settle a payment in doubt, or again one whose id a person gave. Without one of the four words: show what is known of it."""
    import asyncio

    from pipelines.actions.evidence import gather_all_evidence, gather_evidence
    from pipelines.actions.resolve import DoubtWord, adopt_id, settle_doubt
    from pipelines.core.outcome import Charged, NotCharged, Resubmitted
    from pipelines.core.status import JobStatus
    from pipelines.run.options import RunOptions

    words: dict[DoubtWord, bool] = {Charged: charged, NotCharged: not_charged, Resubmitted: resubmit}
    chosen = [word for word, wanted in words.items() if wanted]
    if len(chosen) + (adopt is not None) > 1:
        raise typer.BadParameter("Choose one of --adopt, --not-charged, --charged and --resubmit.")
    options = RunOptions(profiles=tuple(profile or ()))
    if job_id is None:
        if chosen or adopt is not None:
            raise typer.BadParameter("Name the job that it is true of: each is settled by itself.")
        _show_all(asyncio.run(gather_all_evidence(folder, options)), as_json=as_json)
        return
    evidence = asyncio.run(gather_evidence(folder, job_id, options))
    if not as_json:
        _show(evidence)
    if not chosen and adopt is None:
        if as_json:
            print_json(evidence.as_dict())
        elif evidence.status is JobStatus.IN_DOUBT or evidence.given is not None:
            say("Say what is true: --adopt TASK_ID, --not-charged, --charged or --resubmit (reelbatch resolve --help).")
        return
    back = None if evidence.given is None else evidence.given.provider_job_id
    if not yes:
        _ask(evidence, takes_back=None if adopt == back else back, resubmit=resubmit)
    if adopt is not None:
        settled = asyncio.run(adopt_id(folder, job_id, adopt, unseen=yes, takes_back=back, options=options))
    else:
        settled = asyncio.run(settle_doubt(folder, job_id, chosen[0], takes_back=back))
    show_warnings((settled.warning,) if settled.warning else ())
    if as_json:
        print_json(evidence.as_dict() | {"settled": {"status": str(settled.status), "words": settled.words}})
    else:
        say(settled.words)


def _ask(evidence: Evidence, *, takes_back: str | None, resubmit: bool) -> None:
    """Ask about what cannot be said unseen."""
    from flows.command_line.consent import ask_first
    from pipelines.core.text.amounts import price_text

    name = evidence.job.id
    if takes_back is not None:
        ask_first(f"{name} goes by {takes_back}, which a person gave. Take that id back?", yes=False)
    if resubmit:
        price = price_text(evidence.cost, evidence.currency) or "its price"
        ask_first(f"Buy {name} once more for {price}, though {price} may have been paid already?", yes=False)


def _show_all(found: list[Evidence], *, as_json: bool) -> None:
    """Print what is known of every payment in doubt."""
    if as_json:
        print_json({"in_doubt": [evidence.as_dict() for evidence in found]})
        return
    for evidence in found:
        _show(evidence)
        typer.echo()
    say("Settle each: reelbatch resolve DIR ID, and what is true of it." if found else "Nothing is in doubt.")


def _show(evidence: Evidence) -> None:
    """Print what is known, one fact a line, and what the provider lists."""
    from pipelines.core.text.times import utc_text

    known = evidence.as_dict()
    window = " .. ".join(filter(None, (known["sent_at"], known["ended_at"]))) or "unknown"
    length = f"{known['seconds']} s" if known["seconds"] else None
    facts = {
        "job": f"{known['id']} ({evidence.status.label})",
        "prompt": known["prompt"],
        "ordered": ", ".join(filter(None, (known["provider"], known["model"], length, known["size"]))),
        "account": known["account"],
        "named": known["attempt"] and f"{known['attempt']}, in the order: the vendor's console may find it by that",
        "sent (UTC)": window,
        "price": f"{known['cost']} {known['currency']}{' (assumed)' if evidence.assumed else ''}"
        if known["cost"]
        else "unknown",
        "answer": " ".join(
            filter(None, (f"HTTP {known['http_status']}" if known["http_status"] else "", known["excerpt"]))
        ),
        "reason": known["reason"],
        "id": evidence.given
        and f"{evidence.given.provider_job_id}, given by {evidence.given.by} on {utc_text(evidence.given.at)}, not by the provider",
        "says now": evidence.answered and f"{known['provider']}: {evidence.answered}",
    }
    for name, fact in facts.items():
        if fact:
            typer.echo(f"{name + ':':12}{' '.join(str(fact).split())}")
    for candidate in known["candidates"]:
        typer.echo(
            f"candidate:  {candidate['id']}  {candidate['created_at']}  agrees in {', '.join(candidate['agrees'])}"
        )
    if known["listing"]:
        typer.echo(f"candidates: {known['listing']}")
