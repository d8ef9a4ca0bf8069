"""Which run a lease is for, so that one whose process is gone can be told; and what a run was asked for"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, column in (("lease", "run"), ("run", "asked")):
        op.add_column(name, sa.Column(column, sa.String(), nullable=False, server_default=""))
        with op.batch_alter_table(name) as table:
            table.alter_column(column, server_default=None)
