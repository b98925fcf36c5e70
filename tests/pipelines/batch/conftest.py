"""Writes small batch files and reads them back."""

from __future__ import annotations

import pytest

from pipelines.batch import read_batch
from pipelines.errors import BatchError


@pytest.fixture
def read(tmp_path):
    """Reads a text as a batch file of the given kind, with qiniu as the provider unless told otherwise."""

    def reader(text, kind="csv", provider="qiniu", **more):
        path = tmp_path / f"spring.{kind}"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_batch(path, provider=provider, **more)

    return reader


@pytest.fixture
def problems(read):
    """The problems of a text as strings; it must have some."""

    def reader(*args, **more):
        with pytest.raises(BatchError) as caught:
            read(*args, **more)
        return [str(problem) for problem in caught.value.problems]

    return reader
