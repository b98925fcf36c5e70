"""The providers that a batch names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pipelines.batch.columns.names import canonical_name, normalised, parameter_key
from pipelines.batch.columns.vendor_words import selecting_names
from pipelines.batch.files.document import Document
from pipelines.batch.rows.cells import fallback_names
from pipelines.providers.profile.model import Profile


def provider_named(name: str, profiles: Mapping[str, Profile]) -> Profile | None:
    """The profile that a person means, whatever the case, blanks and dashes."""
    return profiles.get(name) or profiles.get(normalised(name).replace("_", "-"))


def providers_of(document: Document, profiles: Mapping[str, Profile], provider: str | None) -> tuple[Profile, ...]:
    """The providers that the rows of a document are sent to at first; all that there are, where it names none.

    Args:
        document: as it was written.
        profiles: by name.
        provider: that of the command line.
    """
    names = (provider, document.settings.provider, *cells_of(document, "provider"))
    return _named(filter(None, names), profiles) or tuple(profiles.values())


def fallbacks_of(document: Document, profiles: Mapping[str, Profile], fallback: Iterable[str]) -> tuple[Profile, ...]:
    """The providers that the rows of a document may turn to."""
    texts = (*fallback, *document.settings.fallback, *cells_of(document, "fallback"))
    return _named((name.partition(":")[0] for text in texts for name in fallback_names(text)), profiles)


def parameter_keys(profiles: Iterable[Profile]) -> frozenset[str]:
    """The names that these providers take beside our own columns, as `parameter_key` spells them."""
    return frozenset(key for profile in profiles for key in selecting_names(profile))


def structured_keys(profiles: Iterable[Profile]) -> frozenset[str]:
    """Those of them that may be lists."""
    modes = (mode for profile in profiles for mode in profile.modes)
    rules = (item for mode in modes for item in mode.parameters.items())
    return frozenset(parameter_key(name) for name, rule in rules if rule.type in ("list", "json"))


def _named(names: Iterable[str], profiles: Mapping[str, Profile]) -> tuple[Profile, ...]:
    found = {profile.name: profile for name in names if (profile := provider_named(name, profiles))}
    return tuple(found.values())


def cells_of(document: Document, column: str) -> Iterator[str]:
    """The cells of one of our columns, in any layer; a text that many rows have comes once."""
    places = [place for place, name in enumerate(document.header) if canonical_name(name) == column]
    layers = (document.defaults, *document.presets.values(), *document.combinations)
    values = [value for layer in layers for name, value in layer.items() if canonical_name(name) == column]
    values += dict.fromkeys(row[place] for place in places for row in document.rows)
    for value in values:
        yield from (value,) if isinstance(value, str) else value or ()
