"""The practice business under the engine, on both databases."""

from practising import ground, postgres_ground, sqlite_ground  # noqa: F401
