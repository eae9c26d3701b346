"""Brings the tables of a database to this release. Knows Alembic, not what the tables mean.

Every change of the tables is a new file in `versions/`; a test demands that applying them all gives
exactly `access_control.database.metadata`.
"""

from __future__ import annotations

from pathlib import Path

import alembic.command
import alembic.config
import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from access_control.database import engine
from access_control.errors import DatabaseOutdated

HERE = Path(__file__).resolve().parent


def upgrade(url: str) -> None:
    """Create or update the tables of the database at `url`; all of it or nothing. Safe to repeat.

    Raises
    ------
    DatabaseOutdated
        The database was written by a later release.
    """
    made = engine(url)
    try:
        with made.begin() as connection:
            present = _revision(connection)
            if present is not None and present not in _known():
                raise DatabaseOutdated("database-newer", present=present)
            alembic.command.upgrade(_config(connection), "head")
    finally:
        made.dispose()


def check(url: str) -> None:
    """Say whether the tables match this release.

    Raises
    ------
    DatabaseOutdated
        They do not.
    """
    made = engine(url)
    try:
        with made.connect() as connection:
            present = _revision(connection)
    finally:
        made.dispose()
    head = ScriptDirectory(str(HERE)).get_current_head()
    if present != head:
        reason = "database-newer" if present is not None and present not in _known() else "database-outdated"
        raise DatabaseOutdated(reason, present=present, wanted=head)


def _revision(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _known() -> set[str]:
    return {script.revision for script in ScriptDirectory(str(HERE)).walk_revisions()}


def _config(connection: sa.Connection) -> alembic.config.Config:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
