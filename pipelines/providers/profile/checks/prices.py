"""Find a price that holds for nothing that the profile sells. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.providers.profile.checks.findings import Disagreement, not_among
from pipelines.providers.profile.model import Profile
from pipelines.providers.profile.terms import Price


def price_findings(price: Price, profile: Profile) -> Iterator[Disagreement]:
    """Find what a row of the price list names that is not there."""
    modes = {mode.name: mode for mode in profile.modes}
    if price.mode is not None and price.mode not in modes:
        yield ("mode",), not_among(price.mode, modes)
        return
    concerned = [modes[price.mode]] if price.mode is not None else list(modes.values())
    models = {model for mode in concerned for model in mode.models}
    if price.model != "*" and price.model not in models and not profile.open_models:
        yield ("model",), not_among(price.model, sorted(models))
    fields = {rule.field or name for mode in concerned for name, rule in mode.parameters.items()}
    for name in price.parameters:
        if name not in fields:
            yield ("parameters", name), not_among(name, sorted(fields))
