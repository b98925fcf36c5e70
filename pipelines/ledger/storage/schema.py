"""The tables of the ledger. The partial unique indexes are what makes a double payment impossible."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text, text

from pipelines.core.status import AttemptState

SCHEMA_VERSION = 7

#: Attempts in these states may cost money or are about to; a job has at most one of them.
LIVE_STATES = (AttemptState.CLAIMED, AttemptState.SENDING, AttemptState.IN_DOUBT, AttemptState.ACCEPTED)
_LIVE = text("state IN (" + ", ".join(f"'{state}'" for state in LIVE_STATES) + ")")

metadata = MetaData()

meta = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", Text, nullable=False))

owner = Table(
    "owner",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1
    Column("epoch", Integer, nullable=False),  # grows with every run; a write of an older epoch is refused
    Column("host", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("since", String, nullable=False),
)

batch = Table(
    "batch",
    metadata,
    Column("source_sha256", String, primary_key=True),
    Column("campaign", String, nullable=False),
    Column("path", Text, nullable=False),
    Column("read_at", String, nullable=False),
)

job = Table(
    "job",
    metadata,
    Column("id", String, primary_key=True),
    Column("position", Integer, nullable=False),  # order in the batch file
    Column("row", Integer, nullable=False),
    Column("take", Integer, nullable=False),
    Column("campaign", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("plan", Text, nullable=False),  # the whole Job as JSON
    Column("status", String, nullable=False),
    Column("in_batch", Boolean, nullable=False),  # False: no longer in the file; still brought home
    Column("account", String),  # fingerprint of address and key that the job was sent with
    Column("provider_job_id", String),
    Column("mode", String),  # of the profile, as it was sent
    Column("contract", String),  # the protocol in which it was ordered, and is asked about
    Column("status_url", Text),  # where the provider said to ask about it
    Column("result_url", Text),  # where the provider said that its result will be
    Column("fallback_index", Integer, nullable=False),  # how many of its fallbacks it has fallen back to
    Column("made_as", Text),  # JSON of what the last of them changed in the plan; NULL: it is made as planned
    Column("trace_id", String),
    Column("submitted_at", String),
    Column("completed_at", String),
    Column("downloaded_at", String),
    Column("url_expires_at", String),
    Column("output", Text),  # JSON of what is on disk: path, bytes, sha256, media, source host
    Column("storage_uri", Text),  # where its file is in the bucket; NULL: files stay in the output folder
    Column("flags", Text),  # JSON list
    Column("cost_actual_micros", BigInteger),
    Column("billed", String, nullable=False),
    Column("error_code", String),
    Column("error_message", Text),
    Column("failed_stage", String),
    Column("archived_at", String),  # a person has taken it out of the counts
    Column("replaced_by", String),  # the job that was made in its place, because a person asked for a new take
    Column("redo_of", String),  # the job of the batch file that it is a new take of; the file does not name it
)
Index("job_by_status", job.c.status)

attempt = Table(
    "attempt",
    metadata,
    Column("id", String, primary_key=True),
    Column("job_id", String, nullable=False),
    Column("n", Integer, nullable=False),
    Column("provider", String, nullable=False),
    Column("account", String, nullable=False),
    Column("state", String, nullable=False),
    Column("fingerprint", String, nullable=False),  # of the order as it was sent
    Column("epoch", Integer, nullable=False),
    Column("cost_micros", BigInteger),  # what it is expected to cost; NULL where no price is known
    Column("currency", String),
    Column(
        "assumed", Boolean
    ),  # no provider has published this price; NULL: an earlier version did not say, and it counts so
    Column("bucket", String),  # where the cost counts now: reserved, spent, uncertain, or NULL for nowhere
    Column("claimed_at", String, nullable=False),
    Column("sent_at", String),
    Column("ended_at", String),
    Column("http_status", Integer),
    Column("provider_job_id", String),
    Column("excerpt", Text),  # the start of an answer that could not be understood
    Column("calls_back", Boolean),  # the order had an address of its own to call; NULL: no
)
Index("one_live_attempt", attempt.c.job_id, unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE)
_KNOWN = text("provider_job_id IS NOT NULL")
Index(
    "one_owner_per_paid_job",
    attempt.c.provider,
    attempt.c.account,
    attempt.c.provider_job_id,
    unique=True,
    sqlite_where=_KNOWN,
    postgresql_where=_KNOWN,
)
Index("attempts_of_a_job", attempt.c.job_id)

account = Table(
    "account",
    metadata,
    Column("currency", String, primary_key=True),
    Column("reserved_micros", BigInteger, nullable=False),  # claimed, sending, or accepted and not yet finished
    Column("spent_micros", BigInteger, nullable=False),
    Column("uncertain_micros", BigInteger, nullable=False),  # in doubt: counts against the budget until settled
)

event = Table(
    "event",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("job_id", String),
    Column("at", Float, nullable=False),  # Unix seconds
    Column("kind", String, nullable=False),
    Column("detail", Text),
)

request = Table(  # what a person asks of the run that owns the ledger, written by another process
    "request",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("argument", Text),  # of that kind, as JSON
    Column("asked_at", String, nullable=False),
    Column("answered_at", String),  # NULL: nobody has heeded it yet
    Column("answer", Text),  # JSON of what came of it
)

callback = Table(  # what providers have called about: written beside the owner, heeded by it
    "callback",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("attempt_id", String, nullable=False),
    Column("body_sha256", String, nullable=False),  # the same body again is the same call
    Column("named_id", String),  # what the caller says that its id of the job is
    Column("has_ended", Boolean),  # what the caller says; NULL: it does not
    Column("link", Text),  # where the caller says that the clip is, without its query
    Column("received_at", String, nullable=False),
    Column("heeded_at", String),  # NULL: the owner has not looked at it yet
    Column("came_to", String),  # what it did to the job
)
Index("one_row_a_call", callback.c.attempt_id, callback.c.body_sha256, unique=True)
Index("callbacks_unheeded", callback.c.heeded_at)
