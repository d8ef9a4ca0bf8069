"""The practice business under a real engine, for this folder."""

from practising import ground, postgres_ground, sqlite_ground  # noqa: F401
