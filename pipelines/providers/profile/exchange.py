"""What goes over the wire beside an order, as data: how the key is shown, and where answers say what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipelines.providers.profile.scalars import Places, TrustedHost
from pipelines.providers.profile.terms import ProfilePart

_IN_QUERY = r"^[A-Za-z0-9._\[\]-]+$"  # the name of a parameter
#: What somebody is charged: surely, surely not, or nobody says.
Charged = Literal["yes", "no", "unknown"]


class Auth(ProfilePart):
    """How a request proves who asks."""

    by: Literal["header", "query", "basic", "jwt"] = "header"
    #: header: `<header>: <scheme> <key>`; query: `?<query>=<key>`; basic: the key is USER:PASSWORD;
    #: jwt: the key is ACCESS:SECRET, and signs a short-lived token (HS256, with iss, nbf and exp)
    header: str = Field("Authorization", pattern=r"^[A-Za-z0-9-]+$")  # the name of the header
    scheme: str = Field("Bearer", pattern=r"^[A-Za-z0-9._-]*$")  # the word before the key or token; empty: none
    query: str = Field("key", pattern=r"^[A-Za-z0-9._-]+$")  # for `query`: the name of the parameter
    lasts_s: int = Field(1800, ge=60, le=86_400)  # for `jwt`: how long a token holds, in seconds
    file_hosts: tuple[
        TrustedHost, ...
    ] = ()  # further hosts whose files are fetched with the key, besides the API's own

    @property
    def wants_pair(self) -> bool:
        """Whether the key is made of two parts with a colon between them."""
        return self.by in ("basic", "jwt")

    def key_for(self, word: str) -> str:
        """A key that is none, such as a rehearsal's, in the form that is wanted."""
        return f"{word}:{word}" if self.wants_pair else word


class Answers(ProfilePart):
    """Where the answers of the contract `described` say what, besides `id_path`, `status_path` and `results`."""

    done: str | None = None  # for an API without words: where something stands, and not false, once a job has ended
    bare_result: tuple[str, ...] = ()  # names at the top of an answer without a word that only a result has
    failed: tuple[str, ...] = ()  # where something stands, and not false, if it has ended without a clip
    error_code: Places = ()  # the code of an error, the first place that has one; none: the usual places
    error_message: Places = ()  # the words of an error, the same; none: the usual places
    trace: str | None = None  # what the provider's support will ask for
    status_url: str | None = None  # in the answer to an order: the address to ask; it must be the API's own
    result_url: str | None = None  # in the answer to an order or a query: the address that has the result of a job
    result_id: str | None = (
        None  # in the answer to a query: what {result_id} in `paths.result` stands for, such as a file
    )
    clip_base64: str | None = None  # where the clip itself stands, in base64 or as a data: address, and no link to it
    completed_at: str | None = None  # when a job ended
    seconds: str | None = None  # the length that was made: a clip of another than ordered is flagged
    size: str | None = None  # the size that was made: the same
    moderated: str | None = None  # where something stands, and not 0 or false, if moderation has taken clips away
    moderation_words: tuple[str, ...] = ()  # words in the error of a failed job that say: moderation
    list_items: str | None = None  # in the answer to `paths.list`: the jobs, each shaped as the answer to a query
    list_id: str | None = None  # in such an item: its id, where that is not at `id_path`
    list_status: str | None = None  # in such an item: its word, where that is not at `status_path`
    list_created: str | None = None  # in such an item: when it was ordered
    list_prompt: str | None = None  # in such an item: its prompt
    list_model: str | None = None  # in such an item: its model
    list_next: str | None = None  # in that answer: the address of the next page, or a cursor that leads there
    list_cursor: str | None = Field(
        None, pattern=_IN_QUERY
    )  # the parameter of the query that takes the cursor; none: `list_next` is an address
    list_page: str | None = Field(None, pattern=_IN_QUERY)  # the parameter that takes the number of the page
    list_first: int | None = Field(None, ge=0, le=1)  # the number of the first page; none: 1
    list_offset: str | None = Field(
        None, pattern=_IN_QUERY
    )  # the parameter that takes how many jobs the pages before have listed

    @property
    def turns_pages(self) -> str | None:
        """The parameter of the query that leads to a page of the list, if there is one."""
        return self.list_page or self.list_offset or self.list_cursor

    @property
    def first_page(self) -> str | None:
        """What stands in that parameter for the first page; None: it is left out."""
        if self.list_page is not None:
            return "1" if self.list_first is None else str(self.list_first)
        return "0" if self.list_offset is not None else None

    def page_behind(self, page: str | None, listed: int) -> str | None:
        """What stands there for the next page, where pages are counted; None: they are not, or this one is empty.

        Args:
            page: what stood there for this page; None: it is the first.
            listed: how many jobs there are on it.
        """
        here = page or self.first_page
        if here is None or not listed:
            return None
        return str(int(here) + (1 if self.list_page is not None else listed))
