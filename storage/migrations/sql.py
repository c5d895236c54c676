"""Plain SQL in a migration."""

from alembic import op


def run_sql(script: str) -> None:
    """Run a script of several statements as it stands, in the migration's transaction.

    It bypasses SQLAlchemy's text clause, which would read ``:name`` and ``%`` in function bodies as parameters.
    """
    driver_connection = op.get_bind().connection.driver_connection
    if driver_connection is None:
        raise RuntimeError("the migration has no open connection")
    driver_connection.execute(script)
