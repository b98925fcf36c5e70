"""Find profiles: the YAML files that are shipped, and those that a user adds without code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from pipelines.core.errors import Problem, ProfileError, SetupError
from pipelines.core.text.strict_yaml import parse_yaml
from pipelines.core.text.suggestion import did_you_mean
from pipelines.net.addresses import Origin, without_userinfo
from pipelines.providers.profile.extends import ProfileDraft, ProfileLayers
from pipelines.providers.profile.files import profile_files, read_draft
from pipelines.providers.profile.model import Profile

_SHIPPED = 9  # the rank of what every other place stands before


@dataclass(frozen=True, slots=True)
class ProfileSet:
    """Every provider that is known, and what is worth saying about where it comes from."""

    profiles: Mapping[str, Profile]  # by name
    files: Mapping[str, Path] = field(default_factory=dict)  # by name, of those that are not shipped
    notes: tuple[str, ...] = ()

    def elsewhere(self, environment: Mapping[str, str]) -> frozenset[str]:
        """The providers whose address the operator has set: what their vendor closes does not concern them."""
        return frozenset(name for name, profile in self.profiles.items() if profile.base_url_from(environment)[1])


def known_profiles(files: Sequence[Path] = (), *, beside: Path | None = None) -> Mapping[str, Profile]:
    """The shipped profiles and the user's own, by name; see `find_profiles`."""
    return find_profiles(files, beside=beside).profiles


def find_profiles(files: Sequence[Path] = (), *, beside: Path | None = None) -> ProfileSet:
    """The shipped profiles and the user's own.

    Of several with one name, the nearest counts: one of `files`, then of the folder `reelbatch.providers/` beside the
    batch file, of that in the working directory, of `~/.config/reelbatch/providers/`, and last the shipped one.

    Args:
        files: profile files that somebody named.
        beside: a batch file.

    Raises:
        ProfileError: with every problem of every file at once.
    """
    problems: list[Problem] = []
    own = [draft for rank, path in profile_files(files, beside, problems) for draft in read_draft(path, rank, problems)]
    if not own and not problems:
        return ProfileSet(shipped_profiles())
    layers = ProfileLayers([*own, *_shipped_drafts()])
    found = layers.profiles()
    problems += layers.problems
    if problems:
        raise ProfileError(problems)
    return ProfileSet(
        {name: profile for name, (profile, _) in found.items()},
        {name: draft.path for name, (_, draft) in found.items() if draft.path is not None},
        tuple(_notes(layers, found)),
    )


@cache
def shipped_profiles() -> Mapping[str, Profile]:
    """The profiles that come with reelbatch, by name."""
    layers = ProfileLayers(_shipped_drafts())
    found = {name: profile for name, (profile, _) in layers.profiles().items()}
    assert not layers.problems, "\n".join(map(str, layers.problems))
    return found


def profile_named(name: str, profiles: Mapping[str, Profile] | None = None) -> Profile:
    """The profile of that name.

    Raises:
        SetupError: there is none; the message lists those that exist.
    """
    known = shipped_profiles() if profiles is None else profiles
    try:
        return known[name]
    except KeyError:
        sellers = sorted(p.name for p in known.values() if any(name in mode.models for mode in p.modes))
        words = f"It is a model of: {', '.join(sellers)}." if sellers else did_you_mean(name, sorted(known))
        raise SetupError(f'There is no provider "{name}". {words}') from None


def profile_source(known: ProfileSet, name: str) -> str:
    """The YAML text of a known profile, with its comments: a draft for another one.

    A profile that extends another says only what differs, as its file does.

    Raises:
        SetupError: its file has gone since it was read.
    """
    own = known.files.get(name)
    try:
        return (_shipped_folder().joinpath(f"{name}.yaml") if own is None else own).read_text("utf-8")
    except OSError as error:
        raise SetupError(f"{own or name} cannot be read: {error.strerror}.") from None


def _shipped_folder() -> Traversable:
    return resources.files("pipelines.providers").joinpath("profiles")


@cache
def _shipped_drafts() -> tuple[ProfileDraft, ...]:
    files = sorted((f for f in _shipped_folder().iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return tuple(ProfileDraft(file.name, None, _SHIPPED, parse_yaml(file.read_text("utf-8"))) for file in files)


def _notes(layers: ProfileLayers, found: Mapping[str, tuple[Profile, ProfileDraft]]) -> Iterator[str]:
    """Note what a user might not expect of files that lie somewhere: a name taken over, a key that goes elsewhere."""
    shipped = [*shipped_profiles().values()]
    every = [*shipped, *(profile for profile, draft in found.values() if draft.path is not None)]
    for name, (profile, draft) in found.items():
        if draft.path is None:
            continue
        behind = layers.behind(draft)
        if behind is not None:
            whose = "the shipped profile" if behind.path is None else behind.file
            yield f"{draft.file} replaces {whose} of the name {name}; it sends to {without_userinfo(profile.base_url)}."
        here = Origin.of(profile.base_url)
        for variable in profile.key_names:
            others = shipped if variable == profile.own_key_name else every
            owners = {each.name for each in others if variable in each.key_names and Origin.of(each.base_url) != here}
            if whose := ", ".join(sorted(owners - {name})):
                yield f"{draft.file} sends the key in {variable} to {without_userinfo(profile.base_url)}; it is meant for {whose}."
