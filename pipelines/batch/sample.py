"""The batches that come with reelbatch: the samples that `init` writes, and the demo."""

from __future__ import annotations

from importlib import resources

from pipelines.errors import SetupError

_STARTERS = {".yaml": "starter.yaml", ".yml": "starter.yaml", ".csv": "starter.csv"}


def sample_text(suffix: str) -> str:
    """A sample batch that explains itself.

    Args:
        suffix: ".yaml", ".yml" or ".csv".

    Raises:
        SetupError: there is no sample of that kind.
    """
    name = _STARTERS.get(suffix.lower())
    if name is None:
        raise SetupError(f"There is no sample batch for {suffix or 'a name without an ending'}. Use .yaml or .csv.")
    return resources.files("pipelines.batch").joinpath("samples", name).read_text("utf-8")
