"""The first tables. Until the first release they all live here; afterwards each change is a new file."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "audit_outbox",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("event_id", sa.String(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_audit_outbox"),
        sa.UniqueConstraint("event_id", name="uq_audit_outbox_event_id"),
    )
    op.create_table(
        "failed_attempt",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("handle", sa.String(31), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_failed_attempt"),
    )
    op.create_index("ix_failed_attempt_handle_time", "failed_attempt", ["handle", "time"])
    op.create_index("ix_failed_attempt_time", "failed_attempt", ["time"])
    op.create_table(
        "person",
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("handle", sa.String(31), nullable=False),
        sa.Column("display_name", sa.String(60), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("email_key", sa.String(254), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("status_reason", sa.Text, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_person"),
        sa.UniqueConstraint("email_key", name="uq_person_email_key"),
        sa.UniqueConstraint("handle", name="uq_person_handle"),
    )
    op.create_table(
        "project",
        sa.Column("slug", sa.String(64), nullable=False),
        sa.Column("title_ko", sa.String(80), nullable=False),
        sa.Column("title_en", sa.String(80), nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("slug", name="pk_project"),
    )
    op.create_table(
        "setup_link",
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("secret", name="pk_setup_link"),
    )
    op.create_table(
        "application",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("handle", sa.String(31), nullable=False),
        sa.Column("display_name", sa.String(60), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("email_key", sa.String(254), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("affiliation", sa.String(120), nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("consented", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("submitted", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(31), nullable=True),
        sa.Column("encoded", sa.String(255), nullable=True),
        sa.ForeignKeyConstraint(["decided_by"], ["person.handle"], name="fk_application_decided_by"),
        sa.PrimaryKeyConstraint("id", name="pk_application"),
    )
    op.create_index(
        "ix_application_pending_email",
        "application",
        ["email_key"],
        unique=True,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_application_pending_handle",
        "application",
        ["handle"],
        unique=True,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "data_grant",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("dataset", sa.String(63), nullable=False),
        sa.Column("variant", sa.String(63), nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_by", sa.String(31), nullable=False),
        sa.Column("given", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.String(31), nullable=True),
        sa.Column("revoked_reason", sa.Text, nullable=True),
        sa.ForeignKeyConstraint(["project"], ["project.slug"], name="fk_data_grant_project"),
        sa.PrimaryKeyConstraint("id", name="pk_data_grant"),
    )
    op.create_index("ix_data_grant_project", "data_grant", ["project"])
    op.create_table(
        "export_request",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("person", sa.String(31), nullable=False),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("policy_version", sa.String(32), nullable=False),
        sa.Column("submitted", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(31), nullable=True),
        sa.Column("decided", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["decided_by"], ["person.handle"], name="fk_export_request_decided_by"),
        sa.ForeignKeyConstraint(["person"], ["person.handle"], name="fk_export_request_person"),
        sa.ForeignKeyConstraint(["project"], ["project.slug"], name="fk_export_request_project"),
        sa.PrimaryKeyConstraint("id", name="pk_export_request"),
        sa.UniqueConstraint("number", name="uq_export_request_number"),
    )
    op.create_index("ix_export_request_person", "export_request", ["person"])
    op.create_index("ix_export_request_status", "export_request", ["status"])
    op.create_table(
        "password",
        sa.Column("person", sa.String(31), nullable=False),
        sa.Column("encoded", sa.String(255), nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.handle"], name="fk_password_person"),
        sa.PrimaryKeyConstraint("person", name="pk_password"),
    )
    op.create_table(
        "person_role",
        sa.Column("person", sa.String(31), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.handle"], name="fk_person_role_person"),
        sa.PrimaryKeyConstraint("person", "role", name="pk_person_role"),
    )
    op.create_table(
        "project_member",
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("person", sa.String(31), nullable=False),
        sa.Column("added", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.handle"], name="fk_project_member_person"),
        sa.ForeignKeyConstraint(["project"], ["project.slug"], name="fk_project_member_project"),
        sa.PrimaryKeyConstraint("project", "person", name="pk_project_member"),
    )
    op.create_index("ix_project_member_person", "project_member", ["person"])
    op.create_table(
        "session",
        sa.Column("session_id", sa.String(20), nullable=False),
        sa.Column("person", sa.String(31), nullable=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("site", sa.String(63), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stopped", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.handle"], name="fk_session_person"),
        sa.ForeignKeyConstraint(["project"], ["project.slug"], name="fk_session_project"),
        sa.PrimaryKeyConstraint("session_id", name="pk_session"),
    )
    op.create_index(
        "ix_session_live_site",
        "session",
        ["site"],
        unique=True,
        sqlite_where=sa.text("status != 'stopped'"),
        postgresql_where=sa.text("status != 'stopped'"),
    )
    op.create_index("ix_session_person", "session", ["person"])
    op.create_index("ix_session_project", "session", ["project"])
    op.create_table(
        "sign_in_link",
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("person", sa.String(31), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.handle"], name="fk_sign_in_link_person"),
        sa.PrimaryKeyConstraint("secret", name="pk_sign_in_link"),
    )
    op.create_index("ix_sign_in_link_person", "sign_in_link", ["person"])
    op.create_table(
        "ticket",
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("person", sa.String(31), nullable=False),
        sa.Column("audience", sa.String(64), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.handle"], name="fk_ticket_person"),
        sa.PrimaryKeyConstraint("secret", name="pk_ticket"),
    )
    op.create_index("ix_ticket_person", "ticket", ["person"])
    op.create_table(
        "web_session",
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("person", sa.String(31), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.handle"], name="fk_web_session_person"),
        sa.PrimaryKeyConstraint("secret", name="pk_web_session"),
    )
    op.create_index("ix_web_session_person", "web_session", ["person"])
    op.create_table(
        "export_file",
        sa.Column("request", sa.String(32), nullable=False),
        sa.Column("no", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("media_type", sa.String(128), nullable=False),
        sa.ForeignKeyConstraint(["request"], ["export_request.id"], name="fk_export_file_request"),
        sa.PrimaryKeyConstraint("request", "no", name="pk_export_file"),
    )
    op.create_index("ix_export_file_sha256", "export_file", ["sha256"])


def downgrade() -> None:
    """Refuse: a state folder is not taken back to an older release; restore its backup."""
    raise NotImplementedError("restore the backup made before the upgrade")
