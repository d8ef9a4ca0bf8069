"""Breakers of connections"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "breaker",
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("opened_at", UTCDateTime(), nullable=True),
        sa.Column("probe_at", UTCDateTime(), nullable=True),
        sa.Column("trips", sa.Integer(), nullable=False),
        sa.Column("probing_by", sa.String(), nullable=False),
        sa.Column("probing_until", UTCDateTime(), nullable=True),
        sa.Column("probing_host", sa.String(), nullable=False),
        sa.Column("probing_boot", sa.String(), nullable=False),
        sa.Column("probing_pid", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("connection"),
    )
