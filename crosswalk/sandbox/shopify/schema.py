"""The schema that is executed: our own part of the vendor's, read from ``schema.graphql``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

from graphql import GraphQLResolveInfo, GraphQLSchema, build_schema

SDL = Path(__file__).with_name("schema.graphql")
SCHEMA: GraphQLSchema = build_schema(SDL.read_text(encoding="utf-8"))

Info: TypeAlias = "GraphQLResolveInfo[Any]"
