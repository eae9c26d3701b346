"""Runs migrations on the connection `upgrade` hands over; Alembic loads this file by its name."""

from __future__ import annotations

from alembic import context

from access_control.database import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
