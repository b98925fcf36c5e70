"""Providers and models that their vendors have closed: such orders may still be meant, and that is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipelines.batch.findings import Report
from pipelines.core.job import Job
from pipelines.net.addresses import without_userinfo
from pipelines.providers.profile.model import Profile


def warn_of_retired(
    jobs: Iterable[Job], profiles: Mapping[str, Profile], elsewhere: frozenset[str], file: str, report: Report
) -> None:
    """Warn of each closed provider and model that the jobs are ordered from, also as a fallback, once.

    Args:
        jobs: of a batch.
        profiles: by name.
        elsewhere: providers whose address the operator has set; they are another server than the closed one.
        file: the name of the batch file.
        report: takes the warnings.
    """
    orders = (order for job in jobs for order in (job.order, *(choice.order for choice in job.fallbacks)))
    used = dict.fromkeys((order.provider, order.model) for order in orders)
    closed = {name for name, _ in used if profiles[name].retired_on and name not in elsewhere}
    for name in dict.fromkeys(name for name, _ in used if name in closed):
        profile = profiles[name]
        what = f"{name}: its vendor closed {without_userinfo(profile.base_url)} on {profile.retired_on}."
        fix = f"Set {' or '.join(profile.base_url_names)} to a server that carries its contract on."
        report.warn(file, what, fix)
    for name, model in used:
        date = profiles[name].retired_models.get(model)
        if date and name not in closed | elsewhere:
            models = dict.fromkeys(each for mode in profiles[name].modes for each in mode.models)
            others = [other for other in models if other not in profiles[name].retired_models]
            fix = f"Others: {', '.join(others)}." if others else ""
            report.warn(file, f"{name} retires the model {model} on {date}.", fix)
