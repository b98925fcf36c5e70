"""How providers look on a terminal: all of them in a table, one of them in full."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.table import Table

from flows.command_line.tables import console, plain_table
from pipelines.net.addresses import base_refusal, without_userinfo
from pipelines.providers.profile import describe as words
from pipelines.providers.profile.model import Mode, Profile
from pipelines.providers.profile.terms import Price

_LABEL_WIDTH = 14
_GAP = 2
#: What a terminal that is too narrow goes without, in this order; all of it is on the cards.
_DISPENSABLE = ("speaks", "sizes", "modes", "lengths")

_UNTRIED = "^"

Line = tuple[str, str]  # a label, and what is to be said


def provider_table(profiles: Sequence[Profile], environment: Mapping[str, str]) -> None:
    """One row a provider, in as many columns as the terminal has room for."""
    terminal = console()
    rows = [columns_of(profile, environment) for profile in profiles]
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) + _GAP for name in rows[0]}
    for name in _DISPENSABLE:
        if sum(widths.values()) - _GAP > terminal.width:
            del widths[name]
    table = plain_table(*widths)
    for row in rows:
        table.add_row(*(row[name] for name in widths))
    terminal.print(table)
    terminal.print()
    if any(price.assumed for profile in profiles for price in profile.prices):
        terminal.print("* assumed: the provider publishes no price")
    if any(profile.from_documents for profile in profiles):
        terminal.print(f"{_UNTRIED} written from the vendor's documents, not tried live")
    terminal.print("One in full: reelbatch providers NAME")


def columns_of(profile: Profile, environment: Mapping[str, str]) -> dict[str, str]:
    """Say what the table has of one provider, by column."""
    return {
        "name": profile.name,
        "speaks": words.first_and_count(words.contracts(profile)),
        "models": words.first_and_count(words.models(profile), 20),
        "modes": str(len(profile.modes)),
        "lengths": words.span(profile),
        "sizes": words.first_and_count(words.all_sizes(profile)) or "its own",
        "price from": words.cheapest(profile),
        "state": words.state(profile, environment) + (f" {_UNTRIED}" if profile.from_documents else ""),
    }


def profile_card(profile: Profile, file: Path | None, environment: Mapping[str, str]) -> None:
    """Everything about one provider.

    Args:
        profile: the provider.
        file: where its profile was read; None for a shipped one.
        environment: where key and address may be set; the key itself is never shown.
    """
    terminal = console()
    terminal.print(f"{profile.name}: {profile.title}", style="bold")
    terminal.print(_grid(lines_of_provider(profile, file, environment)))
    for mode in profile.modes:
        terminal.print()
        terminal.print(f"mode {mode.name}", style="bold")
        terminal.print(_grid(lines_of_mode(profile, mode)))
    if profile.prices:
        terminal.print()
        terminal.print("prices", style="bold")
        terminal.print(price_table(profile.prices))


def lines_of_provider(profile: Profile, file: Path | None, environment: Mapping[str, str]) -> Iterator[Line]:
    """Say what holds for every mode of a provider."""
    address, _ = profile.base_url_from(environment)
    own, unfit = profile.base_url_set_by(environment), base_refusal(address)
    yield "profile", str(file) if file else "shipped"
    if profile.from_documents:
        yield "tried", f"not live: written from the vendor's documents on {profile.from_documents}"
    yield "speaks", ", ".join(words.contracts(profile))
    shown = address if unfit is None else f"not usable ({unfit})"  # it may have a secret in it
    yield "address", f"{shown}, set by {own}" if own else shown
    if not own:
        yield "", f"another one: {' or '.join(profile.base_url_names)}"
    is_set = "set" if profile.key_from(environment) else "not set"
    yield "key", f"{' or '.join(profile.key_names)}: {is_set}" + ("" if profile.needs_key else "; none is needed")
    if profile.retired_on:
        yield "retired", f"on {profile.retired_on}, at {without_userinfo(profile.base_url)}"
    for model, day in profile.retired_models.items():
        yield "retired", f"{model} on {day}"
    yield "limits", words.limits(profile)
    yield "can", words.capabilities(profile)
    yield "prompt", words.prompt(profile)
    for note in profile.notes:
        yield "note", note


def lines_of_mode(profile: Profile, mode: Mode) -> Iterator[Line]:
    """Say what one mode takes."""
    if mode.contract not in (None, profile.contract):
        yield "speaks", str(mode.contract)
    default = mode.default_model or profile.default_model
    yield "models", ", ".join(f"{model} (default)" if model == default else model for model in mode.models)
    if mode.prompt_most or mode.prompt_optional:
        yield "prompt", words.prompt(profile, mode)
    yield "lengths", words.lengths(mode)
    yield "sizes", words.sizes(mode)
    yield "shapes", words.shapes(mode)
    yield "images", words.images(mode.images)
    yield "character", "yes" if mode.character else "no"
    yield "remix", words.remix_words(mode)
    if mode.fixed:
        yield "always sent", words.fixed(mode.fixed)
    for number, (name, rule) in enumerate(mode.parameters.items()):
        yield "" if number else "columns", f"{name}: {words.parameter(rule)}"


def price_table(prices: Iterable[Price]) -> Table:
    """List the prices of one provider, each with its source."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for row in prices:
        assumed = " (assumed)" if row.assumed else ""
        said = f"{words.price_is_for(row)}; as of {row.as_of}{assumed}: {row.source}"
        table.add_row(f"  {words.price_words(row)}", said)
    return table


def _grid(lines: Iterable[Line]) -> Table:
    """Labels on the left, and words that wrap beside them."""
    table = Table.grid()
    table.add_column(min_width=_LABEL_WIDTH)
    table.add_column(overflow="fold")
    for label, said in lines:
        table.add_row(f"  {label}", said)
    return table
