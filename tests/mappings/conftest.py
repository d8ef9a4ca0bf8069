"""The practice business under the engine, on SQLite."""

from practising import sqlite_ground  # noqa: F401
