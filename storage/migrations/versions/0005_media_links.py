"""Links by which players fetch the audio and video of jobs."""

from storage.migrations.sql import run_sql

revision = "0005"
down_revision = "0004"

MEDIA_LINKS = """
CREATE TABLE media_links (
    token_hash    bytea PRIMARY KEY,  -- SHA-256; the token itself is random, so no salt is needed
    job_id        uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    object_key    text NOT NULL,
    media_type    text NOT NULL,
    filename      text NOT NULL,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX media_links_job ON media_links (job_id);
CREATE INDEX media_links_expiry ON media_links (expires_at);
"""


def upgrade() -> None:
    """Create the table."""
    run_sql(MEDIA_LINKS)
