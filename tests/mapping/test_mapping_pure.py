"""The mapping language is pure: it reads value tables and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import crosswalk.mapping

HOME = Path(crosswalk.mapping.__file__).parent
IMPURE = {
    "httpx",
    "socket",
    "subprocess",
    "sqlalchemy",
    "sqlmodel",
    "prefect",
    "pandas",
    "random",
    "time",
    "os",
    "urllib",
}
ON_DEMAND = {"babel", "pycountry", "phonenumbers"}


def imports(tree: ast.AST) -> set[str]:
    found = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    return found | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_it_imports_nothing_that_acts() -> None:
    """No file of the language imports a client, a database, a clock or chance."""
    for path in HOME.rglob("*.py"):
        names = imports(ast.parse(path.read_text()))
        assert not {n.partition(".")[0] for n in names} & IMPURE, path.name


def test_only_tables_are_read() -> None:
    """One file reads files; none writes."""
    for path in HOME.rglob("*.py"):
        calls = {n.func for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)}
        used = {f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "") for f in calls}
        allowed = {"read_bytes"} if path.name == "tables.py" else set()
        assert not used & {"open", "read_bytes", "read_text", "write_bytes", "write_text", "now", "today"} - allowed, (
            path.name
        )


def test_large_libraries_are_imported_on_demand() -> None:
    """Names, numbers and currencies are loaded by the first row that needs them, not by the start of a program."""
    for path in HOME.rglob("*.py"):
        top = ast.Module(
            [n for n in ast.parse(path.read_text()).body if not isinstance(n, ast.ClassDef | ast.FunctionDef)], []
        )
        assert not {n.partition(".")[0] for n in imports(top)} & ON_DEMAND, path.name
