"""What a query costs: counted from the document before it runs, from the answer after; and the bucket it is paid from.

An object costs one point, a scalar nothing, a mutation ten. Plain values without an identity of their own (money,
addresses, page info) cost nothing. A connection costs two and, times its size, what one of its nodes costs; its size
enters damped, ⌊2·ln n⌋, as the vendor's staff say and readings confirm, or linear as its prose reads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLObjectType,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    value_from_ast_untyped,
)

from crosswalk.sandbox.shopify.schema import SCHEMA

MOST = 1000
VALUES = {"MoneyBag", "MoneyV2", "MailingAddress", "PageInfo", "CashRoundingAdjustment", "PricingPercentageValue"}
Scale = Callable[[int], int]


def damped(size: int) -> int:
    """How a size enters the cost by the readings: 2 → 1, 10 → 4, 50 → 7, 250 → 11."""
    return math.floor(2 * math.log(max(2, size))) if size > 0 else 0


def linear(size: int) -> int:
    """How a size enters the cost by the prose."""
    return size


SCALES: dict[str, Scale] = {"damped": damped, "linear": linear}


@dataclass
class Part:
    """A field that costs something, or holds what does."""

    key: str
    own: int = 0
    kind: str = "object"  # object, connection, ids (a list by the ids asked for), choice (by type name)
    size: ValueNode | None = None
    parts: list[Part] = field(default_factory=list)
    choices: dict[str, list[Part]] = field(default_factory=dict)
    # @include and @skip: the condition, and what it must be for the field to count.
    conditions: list[tuple[ValueNode, bool]] = field(default_factory=list)

    def requested(self, variables: Mapping[str, Any], scale: Scale) -> int:
        """What is taken before it runs."""
        if any(bool(value_from_ast_untyped(on, dict(variables))) is not wanted for on, wanted in self.conditions):
            return 0
        if self.kind == "choice":
            return max((_sum(parts, variables, scale) for parts in self.choices.values()), default=0)
        children = _sum(self.parts, variables, scale)
        if self.kind == "object":
            return self.own + children
        size = value_from_ast_untyped(self.size, dict(variables)) if self.size is not None else 0
        if self.kind == "ids":
            return len(size) * (1 + children) if isinstance(size, list) else 0
        return 2 + scale(min(int(size or 0), 250)) * (1 + children)

    def actual(self, holder: Mapping[str, Any], scale: Scale) -> int:
        """What it cost by the answer; ``holder`` is the answered object that has the field."""
        if self.kind == "choice":
            options = [sum(part.actual(holder, scale) for part in parts) for parts in self.choices.values()]
            return max(options, default=0)
        if self.key not in holder:
            return 0
        value = holder[self.key]
        if self.kind == "connection":
            value = value or {}
            nodes = value["nodes"] if "nodes" in value else [edge.get("node") for edge in value.get("edges", ())]
            inner = sum(1 + self._inside(node, scale) for node in nodes)
            return 2 + (math.ceil(scale(len(nodes)) * inner / len(nodes)) if nodes else 0)
        if isinstance(value, list):
            inner_costs = [self._inside(item, scale) for item in value]
            return sum(inner_costs) + len(value) if self.kind == "ids" else self.own + max(inner_costs, default=0)
        return self.own + self._inside(value, scale)

    def _inside(self, value: Any, scale: Scale) -> int:
        return sum(part.actual(value, scale) for part in self.parts) if value is not None and self.parts else 0


def _sum(parts: Sequence[Part], variables: Mapping[str, Any], scale: Scale) -> int:
    return sum(part.requested(variables, scale) for part in parts)


class Plan:
    """The costs of one operation of a valid document."""

    def __init__(self, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        root = SCHEMA.get_root_type(operation.operation)
        assert root is not None
        self._defaults = {
            node.variable.name.value: value_from_ast_untyped(node.default_value)
            for node in operation.variable_definitions or ()
            if node.default_value is not None
        }
        if operation.operation is OperationType.MUTATION:
            self.parts = [Part(_key(node), own=10) for node in _fields(operation.selection_set)]
        else:
            self.parts = self._parts(operation.selection_set, root)

    def requested(self, variables: Mapping[str, Any], scale: Scale) -> int:
        """Points taken before the query runs."""
        return _sum(self.parts, {**self._defaults, **variables}, scale)

    def actual(self, data: Mapping[str, Any] | None, scale: Scale) -> int:
        """Points the answer was worth."""
        return sum(part.actual(data, scale) for part in self.parts) if data else len(self.parts)

    def breakdown(self, variables: Mapping[str, Any], scale: Scale) -> list[dict[str, Any]]:
        """The requested cost of every field, as asked for by the debug header."""
        variables = {**self._defaults, **variables}
        out: list[dict[str, Any]] = []

        def visit(parts: Sequence[Part], path: list[str]) -> None:
            for part in parts:
                children = _sum(part.parts, variables, scale)
                total = part.requested(variables, scale)
                out.append(
                    {
                        "path": [*path, part.key],
                        "definedCost": part.own,
                        "requestedTotalCost": total,
                        "requestedChildrenCost": children if part.parts else None,
                    }
                )
                visit(part.parts, [*path, part.key])

        visit(self.parts, [])
        return out

    def _parts(self, selections: SelectionSetNode | None, parent: GraphQLNamedType) -> list[Part]:
        out: dict[str, Part] = {}
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                made = self._field(node, parent)
                if made is not None and made.key in out:
                    out[made.key].parts.extend(made.parts)
                elif made is not None:
                    made.conditions = _conditions(node)
                    out[made.key] = made
                continue
            fragment = self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            assert isinstance(fragment, InlineFragmentNode | FragmentDefinitionNode)
            condition = fragment.type_condition
            narrowed = SCHEMA.type_map[condition.name.value] if condition else parent
            parts = self._parts(fragment.selection_set, narrowed)
            if is_abstract_type(parent) and narrowed is not parent:
                out.setdefault("", Part("", kind="choice")).choices.setdefault(narrowed.name, []).extend(parts)
            else:
                out.update({part.key: part for part in parts})
        return list(out.values())

    def _field(self, node: FieldNode, parent: GraphQLNamedType) -> Part | None:
        name = node.name.value
        if name.startswith("__"):
            return None
        definition = parent.fields[name]  # type: ignore[attr-defined]
        named = get_named_type(definition.type)
        if is_leaf_type(named):
            return None
        key = _key(node)
        if named.name.endswith("Connection"):
            return Part(key, kind="connection", size=_argument(node, "first", "last"), parts=self._nodes(node, named))
        parts = self._parts(node.selection_set, named)
        if name == "nodes" and parent is SCHEMA.query_type:
            return Part(key, kind="ids", size=_argument(node, "ids"), parts=parts)
        own = 0 if named.name in VALUES or named.name == "PricingValue" else 1
        return Part(key, own=own, parts=parts) if own or parts else None

    def _nodes(self, node: FieldNode, connection: GraphQLNamedType) -> list[Part]:
        assert isinstance(connection, GraphQLObjectType)
        of = get_named_type(connection.fields["nodes"].type)
        out: list[Part] = []
        for inner in _fields(node.selection_set, self._fragments):
            if inner.name.value == "nodes":
                out += self._parts(inner.selection_set, of)
            elif inner.name.value == "edges":
                for edge in _fields(inner.selection_set, self._fragments):
                    if edge.name.value == "node":
                        out += self._parts(edge.selection_set, of)
        return out


def _fields(
    selections: SelectionSetNode | None, fragments: Mapping[str, FragmentDefinitionNode] | None = None
) -> list[FieldNode]:
    out: list[FieldNode] = []
    for node in selections.selections if selections else ():
        if isinstance(node, FieldNode):
            out.append(node)
        elif isinstance(node, InlineFragmentNode):
            out += _fields(node.selection_set, fragments)
        elif isinstance(node, FragmentSpreadNode) and fragments:
            out += _fields(fragments[node.name.value].selection_set, fragments)
    return out


def _conditions(node: FieldNode) -> list[tuple[ValueNode, bool]]:
    return [
        (directive.arguments[0].value, directive.name.value == "include")
        for directive in node.directives or ()
        if directive.name.value in ("include", "skip") and directive.arguments
    ]


def _key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


def _argument(node: FieldNode, *names: str) -> ValueNode | None:
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    wanted = [given[name] for name in names if name in given]
    # A variable that is left out leaves the other bound; a written one is surely meant.
    wanted.sort(key=lambda value: isinstance(value, VariableNode))
    return wanted[0] if wanted else None


class Bucket:
    """The points of one app at this shop: they come back with time, up to a most."""

    def __init__(self) -> None:
        self._level: float | None = None
        self._at = 0.0

    def level(self, now: float, most: float, rate: float) -> float:
        """Points at hand now; seconds by the clock, points a second."""
        if self._level is None:
            self._level = most
        self._level = min(most, self._level + max(0.0, now - self._at) * rate)
        self._at = now
        return self._level

    def take(self, points: float) -> None:
        """Take points, or give them back when negative."""
        self._level = (self._level or 0.0) - points
