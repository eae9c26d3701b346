"""Runs of loading publisher files through the portal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables of runs, their files and their exceptions."""
    op.create_table(
        "ingest_run",
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("dataset", sa.String(63), nullable=False),
        sa.Column("person", sa.String(31), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("event_id", sa.String(32), nullable=False),
        sa.Column("base", sa.BigInteger, nullable=True),
        sa.Column("snapshot", sa.BigInteger, nullable=True),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.handle"], name="fk_ingest_run_person"),
        sa.PrimaryKeyConstraint("id", name="pk_ingest_run"),
        sa.UniqueConstraint("number", name="uq_ingest_run_number"),
    )
    op.create_index("ix_ingest_run_status", "ingest_run", ["status"])
    op.create_table(
        "ingest_file",
        sa.Column("run", sa.String(20), nullable=False),
        sa.Column("no", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["run"], ["ingest_run.id"], name="fk_ingest_file_run"),
        sa.PrimaryKeyConstraint("run", "no", name="pk_ingest_file"),
    )
    op.create_table(
        "ingest_exception",
        sa.Column("run", sa.String(20), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["run"], ["ingest_run.id"], name="fk_ingest_exception_run"),
        sa.PrimaryKeyConstraint("run", "name", name="pk_ingest_exception"),
    )


def downgrade() -> None:
    """Refuse: a state folder is not taken back to an older release; restore its backup."""
    raise NotImplementedError("restore the backup made before the upgrade")
