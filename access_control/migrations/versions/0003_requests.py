"""Grants name parts of a dataset; people apply for grants."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the partitions of grants, where none means all, and create the table of requests."""
    op.add_column("data_grant", sa.Column("partitions", sa.Text, nullable=False, server_default="{}"))
    op.create_table(
        "grant_request",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("person", sa.String(31), nullable=False),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("dataset", sa.String(63), nullable=False),
        sa.Column("variant", sa.String(63), nullable=False),
        sa.Column("partitions", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("submitted", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(31), nullable=True),
        sa.Column("decided", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("granted", sa.Integer, nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.handle"], name="fk_grant_request_person"),
        sa.ForeignKeyConstraint(["project"], ["project.slug"], name="fk_grant_request_project"),
        sa.ForeignKeyConstraint(["decided_by"], ["person.handle"], name="fk_grant_request_decided_by"),
        sa.ForeignKeyConstraint(["granted"], ["data_grant.id"], name="fk_grant_request_granted"),
        sa.PrimaryKeyConstraint("id", name="pk_grant_request"),
    )
    op.create_index("ix_grant_request_person", "grant_request", ["person"])
    op.create_index("ix_grant_request_status", "grant_request", ["status"])


def downgrade() -> None:
    """Refuse: a state folder is not taken back to an older release; restore its backup."""
    raise NotImplementedError("restore the backup made before the upgrade")
