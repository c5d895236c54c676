"""The job queue in the jobs table itself, without procrastinate.

Replicas of the previous release go on working beside the new ones, on the same rows: their statements find all that
they need. A queued row is whoever's claims it first; its state and fence decide. What a previous release's replica
submits or requeues is announced by the triggers and has its time from its procrastinate job. What a new one submits has
no procrastinate job: a previous release's worker gives it one after ``stalled_after_seconds``, if no new worker has
claimed it by then.

The revision after this one drops what only the previous release uses: the column ``jobs.token`` with its trigger and
function ``adopt_schedule``, and procrastinate's tables, types and functions.
"""

from alembic import op
from sqlalchemy import text

from storage.migrations.sql import run_sql

revision = "0006"
down_revision = "0005"

QUEUE = """
-- The earliest time of the next attempt, which is also the order of the queue.
ALTER TABLE jobs ADD COLUMN due_at timestamptz NOT NULL DEFAULT now();
DROP INDEX jobs_active;
CREATE INDEX jobs_active ON jobs (state, due_at, id, kind) WHERE state IN ('queued', 'running');

CREATE FUNCTION notify_job_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'queued' THEN
        PERFORM pg_notify('job_queued', NEW.kind);
    ELSE
        PERFORM pg_notify('job_cancelled', NEW.id || ' ' || NEW.fence);
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER notify_job_state AFTER INSERT OR UPDATE OF state ON jobs
FOR EACH ROW WHEN (NEW.state IN ('queued', 'cancelled')) EXECUTE FUNCTION notify_job_state();
"""

NEW_DATABASE = "ALTER TABLE jobs DROP COLUMN token"

EXISTING_DATABASE = """
UPDATE jobs SET due_at = coalesce((SELECT scheduled_at FROM procrastinate_jobs WHERE id = jobs.token), created_at)
WHERE state = 'queued';

CREATE FUNCTION adopt_schedule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.due_at := coalesce((SELECT scheduled_at FROM procrastinate_jobs WHERE id = NEW.token), NEW.due_at);
    RETURN NEW;
END;
$$;
CREATE TRIGGER adopt_schedule BEFORE UPDATE OF token ON jobs FOR EACH ROW EXECUTE FUNCTION adopt_schedule();
"""


def upgrade() -> None:
    """Add the queue's column, index and triggers."""
    run_sql(QUEUE)
    existing = op.get_bind().execute(text("SELECT to_regclass('procrastinate_jobs')")).scalar()
    run_sql(NEW_DATABASE if existing is None else EXISTING_DATABASE)
