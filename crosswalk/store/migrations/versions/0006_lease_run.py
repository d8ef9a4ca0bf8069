"""Which run a lease is for, so that a run whose process is gone can be told from one that goes on"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lease", sa.Column("run", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("lease") as table:
        table.alter_column("run", server_default=None)
