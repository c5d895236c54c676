"""Avatars that owners upload."""

from storage.migrations.sql import run_sql

revision = "0004"
down_revision = "0003"

AVATARS = """
CREATE TABLE avatars (
    id            uuid PRIMARY KEY,
    -- The objects of all avatars of an owner are below one prefix: no row is needed to find them.
    owner_id      integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name          text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('still', 'clip')),
    width         integer NOT NULL CHECK (width > 0),
    height        integer NOT NULL CHECK (height > 0),
    frames        integer NOT NULL CHECK (frames > 0),
    faces         integer NOT NULL CHECK (faces > 0),
    content_hash  text NOT NULL,  -- SHA-256 of the object at object_key, in hex
    object_key    text NOT NULL,
    picture_key   text NOT NULL,
    created_at    timestamptz NOT NULL,
    UNIQUE (owner_id, name)
);
"""


def upgrade() -> None:
    """Create the table."""
    run_sql(AVATARS)
