"""Conversations with the assistant, and its counters."""

from storage.migrations.sql import run_sql

revision = "0003"
down_revision = "0002"

SESSIONS = """
CREATE TABLE sessions (
    id              text PRIMARY KEY,
    owner_id        integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    language        text,
    voice           text,
    -- The turn whose reply is being given; a turn that is not renewed in time was given up by a process that died.
    turn            uuid,
    replying_until  timestamptz,
    created_at      timestamptz NOT NULL,
    last_at         timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL
);
CREATE INDEX sessions_owner ON sessions (owner_id, last_at DESC);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE messages (
    session_id      text NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    n               integer NOT NULL,  -- 1, 2, 3, ... within the session
    role            text NOT NULL CHECK (role IN ('user', 'assistant')),
    content         text NOT NULL,
    interrupted     boolean NOT NULL DEFAULT false,
    at              timestamptz NOT NULL,
    PRIMARY KEY (session_id, n)
);

-- Sums over all replicas, that only grow.
CREATE TABLE assistant_counters (
    name            text PRIMARY KEY,
    value           bigint NOT NULL,
    since           timestamptz NOT NULL
);
"""


def upgrade() -> None:
    """Create the tables."""
    run_sql(SESSIONS)
