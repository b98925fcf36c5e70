"""Read what the answers of every contract have in common: the id of a job, and the links to its files. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.core.job import RemoteJob
from pipelines.net.addresses import Origin, same_origin
from pipelines.providers.profile.model import Profile
from pipelines.providers.protocol import Link
from pipelines.providers.responses import json_values


def named_job(answer: Mapping[str, Any], places: Sequence[str]) -> RemoteJob | None:
    """The job of the first of these places that has an id in it."""
    found = (json_values.identifier(value) for place in places for value in json_values.at_path(answer, place))
    name = next((each for each in found if each is not None), None)
    return RemoteJob(name) if name is not None else None


def result_places(job: RemoteJob, profile: Profile) -> tuple[str, ...]:
    """The places where answers name a job's files, as far as its mode says, or the profile about its own protocol."""
    mode = next((mode for mode in profile.modes if mode.name == job.mode), None)
    if mode is not None and mode.results:
        return mode.results
    spoken = job.contract or profile.contract_of(job.mode)
    return profile.results if spoken == profile.contract else ()


def links_at(
    answer: Mapping[str, Any], places: Sequence[str], base_url: str, keyed: Sequence[str] = ()
) -> tuple[Link, ...]:
    """The links under the first of these paths that has any; a mere path such as /v1/videos/x/content is the API's own.

    A link needs the key where the API serves it itself, unless its signature lets anybody in; and on `keyed` hosts.
    """
    hosts = [Origin.trusted(host) for host in keyed]

    for place in places:
        urls = dict.fromkeys(json_values.link_from(value, base_url) for value in json_values.at_path(answer, place))
        ends = {url: json_values.expiry_of(url) for url in urls if url is not None}
        if ends:
            return tuple(
                Link(url, end is None and (same_origin(url, base_url) or _is_at(url, hosts)), end)
                for url, end in ends.items()
            )
    return ()


def _is_at(url: str, hosts: Sequence[Origin]) -> bool:
    try:
        there = Origin.of(url)
    except ValueError:
        return False
    return there.scheme == "https" and any(host.covers(there.host, there.port) for host in hosts)
