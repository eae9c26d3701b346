"""Certificates of sessions on other machines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table of certificates."""
    op.create_table(
        "session_certificate",
        sa.Column("serial", sa.String(40), nullable=False),
        sa.Column("session_id", sa.String(20), nullable=False),
        sa.Column("issued", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_by", sa.String(64), nullable=False),
        sa.Column("revoked", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.session_id"], name="fk_session_certificate_session_id"
        ),
        sa.PrimaryKeyConstraint("serial", name="pk_session_certificate"),
    )
    op.create_index("ix_session_certificate_session_id", "session_certificate", ["session_id"])


def downgrade() -> None:
    """Refuse: a state folder is not taken back to an older release; restore its backup."""
    raise NotImplementedError("restore the backup made before the upgrade")
