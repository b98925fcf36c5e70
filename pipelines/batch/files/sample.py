"""The batches that come with reelbatch: the samples that `init` writes, and the demo."""

from __future__ import annotations

from importlib import resources
from shlex import quote

from pipelines.core.errors import SetupError

_NAMED = "batch.yaml"  # in the comments of a sample
_STARTERS = {".yaml": "starter.yaml", ".yml": "starter.yaml", ".csv": "starter.csv"}


def sample_text(suffix: str, path: str = _NAMED) -> str:
    """A sample batch that explains itself.

    Args:
        suffix: ".yaml", ".yml" or ".csv".
        path: of the file that it will be, for the commands in its comments.

    Raises:
        SetupError: there is no sample of that kind.
    """
    name = _STARTERS.get(suffix.lower())
    if name is None:
        raise SetupError(f"There is no sample batch for {suffix or 'a name without an ending'}. Use .yaml or .csv.")
    text = resources.files("pipelines.batch.files").joinpath("samples", name).read_text("utf-8")
    # A line end in a path would end the comment.
    return text.replace(f" {_NAMED}", f" {quote(path)}") if path.isprintable() else text
