"""A batch file becomes validated jobs: reading, defaults, presets, templates, matrix, takes, and every problem with its place.

Imports go one way: `findings`, then `columns` (what each column means), `files` (bytes to a document, of whatever kind),
`rows` (the values of one job), `matching` (what the provider takes), `planning` (orders, fallbacks, remixes, jobs) and
`batch`, which puts them together. Knows profiles and prices; knows nothing of HTTP, of the ledger, or of money spent.
"""

from __future__ import annotations

from pipelines.batch.batch import Batch, OutputPlace, Table, read_batch
from pipelines.batch.columns.lookalikes import own_columns_words
from pipelines.batch.files.sample import sample_text
from pipelines.batch.files.settings import BudgetSetting, LimitSettings
from pipelines.batch.files.source import BATCH_SUFFIXES

__all__ = [
    "BATCH_SUFFIXES",
    "Batch",
    "BudgetSetting",
    "LimitSettings",
    "OutputPlace",
    "Table",
    "own_columns_words",
    "read_batch",
    "sample_text",
]
