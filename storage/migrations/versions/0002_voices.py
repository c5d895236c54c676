"""Registered voices."""

from storage.migrations.sql import run_sql

revision = "0002"
down_revision = "0001"

VOICES = """
CREATE TABLE voices (
    id             uuid PRIMARY KEY,
    -- The objects of all voices of an owner are below one prefix: no row is needed to find them.
    owner_id       integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name           text NOT NULL,
    language       text,
    seconds        double precision NOT NULL CHECK (seconds > 0),
    reference_key  text NOT NULL,
    embeddings     jsonb NOT NULL DEFAULT '{}',  -- name of the encoder: [float32, ...]
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    UNIQUE (owner_id, name)
);
"""


def upgrade() -> None:
    """Create the table."""
    run_sql(VOICES)
