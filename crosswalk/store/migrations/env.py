"""Alembic's entry: runs on the connection that crosswalk.store.migrate brings."""

from alembic import context

from crosswalk.store.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
