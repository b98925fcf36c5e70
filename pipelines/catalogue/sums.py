"""Sums of a campaign by any column of its catalogue: jobs, money and seconds of video, for each value of the column."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.catalogue.frame import json_columns
from pipelines.core.errors import SetupError
from pipelines.core.money import Balance
from pipelines.core.status import JobStatus
from pipelines.core.text.excerpt import quoted
from pipelines.core.text.suggestion import did_you_mean
from pipelines.ledger.balances import Payment, sum_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class GroupSum:
    """What the jobs come to that have one value in the column."""

    value: Any  # as the manifest has it in JSON; None: they have none
    jobs: int
    done: int
    money: tuple[Balance, ...]  # by currency
    video_s: float  # of the clips that are on disk

    def as_dict(self) -> dict[str, Any]:
        """For machines: amounts as text, so that 0.10 stays 0.10."""
        return {
            "value": self.value,
            "jobs": self.jobs,
            "done": self.done,
            "money": [money.as_dict() for money in self.money],
            "video_s": self.video_s,
        }


def sums_by(frame: pd.DataFrame, column: str, paid: Sequence[Payment]) -> list[GroupSum]:
    """Add up jobs, money and seconds by the values of a column, in the order in which these first appear.

    A job that has several values, such as tags, counts in the sum of each. Money is that of every submission of a job, also
    of one that failed or is in doubt and was made again.

    Args:
        frame: the catalogue.
        column: one of its columns, in any case.
        paid: the payments of the same ledger.

    Raises:
        SetupError: there is no such column; the message names the nearest.
    """
    import pandas as pd  # noqa: PLC0415 - slow to load, and only needed here

    name = {name.casefold(): name for name in frame.columns}.get(column.casefold())
    if name is None:
        raise SetupError(f"There is no column {quoted(column, 40)}. {did_you_mean(column, frame.columns)}")
    values = [json.dumps(value) if isinstance(value, dict) else value for value in json_columns(frame[[name]])[name]]
    jobs = pd.DataFrame(
        {
            "id": frame["id"],
            "value": pd.Series(values, dtype="object", index=frame.index),
            "done": frame["status"] == JobStatus.DONE.value,
            "video_s": frame["duration_s"].where(frame["path"].notna(), 0).fillna(0),
        }
    ).explode("value")
    jobs["group"] = pd.factorize(jobs["value"], use_na_sentinel=False)[0]
    jobs = jobs.drop_duplicates(["id", "group"])  # a tag may be said twice
    money = money_by_group(jobs, paid)
    return [
        GroupSum(
            value=None if pd.isna(value := same["value"].iloc[0]) else value,
            jobs=len(same),
            done=int(same["done"].sum()),
            money=tuple(money[group]),
            video_s=round(float(same["video_s"].sum()), 3),
        )
        for group, same in enumerate(one for _, one in jobs.groupby("group"))
    ]


def money_by_group(jobs: pd.DataFrame, paid: Sequence[Payment]) -> dict[int, list[Balance]]:
    """Add up the payments of each group, by currency.

    Args:
        jobs: with their `id` and their `group`; a job may be in several.
        paid: the payments of these jobs, and of others.
    """
    import pandas as pd  # noqa: PLC0415 - as above

    found = pd.DataFrame(paid, columns=list(Payment._fields)).merge(jobs[["id", "group"]], on="id")
    totals = found.groupby(["group", "currency", "bucket", "assumed"], as_index=False)["micros"].sum()
    same: dict[int, list[Payment]] = defaultdict(list)
    for row in totals.itertuples():
        same[row.group].append(Payment("", row.currency, row.bucket, int(row.micros), bool(row.assumed)))
    return defaultdict(list, {group: sum_of(payments) for group, payments in same.items()})
