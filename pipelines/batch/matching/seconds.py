"""The length of the clip that a row asks for in one mode. Pure."""

from __future__ import annotations

from pipelines.batch.matching.fitting import OTHER_MODEL, Fitting

#: A server of an open profile may make longer clips than the profile knows, but surely none of more than an hour.
_MOST_SECONDS = 3600


def fit_seconds(fitting: Fitting) -> int | None:
    """The length as the mode takes it; None: the provider decides. What the mode does not make is refused."""
    rule, asked, model = fitting.mode.seconds, fitting.requested.seconds, fitting.model
    if rule is None:
        if asked is not None:
            able = [mode for mode in fitting.modes_with_model() if mode.seconds and mode.seconds.takes(asked)]
            what = f"{fitting.label} decides itself how long a clip is."
            fitting.refuse("seconds", what, fitting.others(able) or "Leave it empty.")
        return None
    seconds = rule.default if asked is None else asked
    only = rule.only.get(seconds, ())
    if not rule.takes(seconds):
        if fitting.profile.open_models and 1 <= seconds <= _MOST_SECONDS:
            fitting.warn("seconds", f"{fitting.label} does not list {seconds} s. It is sent as it is.")
        else:
            other = {mode.name: mode.seconds.wording() for mode in fitting.modes_with_model() if mode.seconds}
            what = f"{fitting.label} does not make clips of {seconds} s."
            fitting.refuse("seconds", what, fitting.alternatives(rule.wording(), other))
    elif only and model not in only and not fitting.unlisted:
        fix = f"Allowed: {', '.join(rule.wording(model))}; or model {' or '.join(only)}."
        fitting.refuse("seconds", f"{seconds} s are not made by {model}.", fix, OTHER_MODEL)
    return seconds
