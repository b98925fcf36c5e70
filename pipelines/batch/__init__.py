"""A batch file becomes validated jobs: reading, defaults, presets, templates, matrix, takes, and every problem with its place.

A file walks through `source` (bytes to text), one of `csv_rows`, `jsonl_rows` and `yaml_document` (text to a
`document`), `columns` (what each column means), `layers` and `row` (the values of one job), `mode` (what the provider
takes), `orders` (what is bought, `pictures` and `prompt` included), `family` and `remix` (what is made of what),
`fallback` (where else) and `planning` (jobs). Knows profiles and prices; knows nothing of HTTP, of the ledger, or of
money spent.
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
