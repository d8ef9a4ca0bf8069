"""Documents read once and kept: parsed, validated in the vendor's words, priced, and executed."""

from __future__ import annotations

import logging
import random
import re
import uuid
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    OperationDefinitionNode,
    execute_sync,
    parse,
    validate,
)

from crosswalk.sandbox.shopify.cost import Plan
from crosswalk.sandbox.shopify.resolvers import Context
from crosswalk.sandbox.shopify.resolvers import read as read_field
from crosswalk.sandbox.shopify.schema import SCHEMA

LOG = logging.getLogger(__name__)
# What graphql-core says → what the vendor says, its code, and the names in it.
WORDS = (
    (
        re.compile(r"Cannot query field '(?P<fieldName>\w+)' on type '(?P<typeName>\w+)'"),
        "Field '{fieldName}' doesn't exist on type '{typeName}'",
        "undefinedField",
    ),
    (
        re.compile(r"Unknown argument '(?P<argumentName>\w+)' on field '(?P<typeName>\w+)\.(?P<name>\w+)'"),
        "Field '{name}' doesn't accept argument '{argumentName}'",
        "argumentNotAccepted",
    ),
    (
        re.compile(r"Argument '\w+\.(?P<name>\w+)\((?P<arguments>\w+):\)' of type .* is required"),
        "Field '{name}' is missing required arguments: {arguments}",
        "missingRequiredArguments",
    ),
    (
        re.compile(r"Variable '(?P<variableName>\$\w+)' of type '(?P<typeName>[^']+)' used in position"),
        "Type mismatch on variable {variableName}",
        "variableMismatch",
    ),
    (re.compile(r"Variable '\$(?P<variableName>\w+)' is not defined"), "{whole}", "variableNotDefined"),
    (re.compile(r"Field '(?P<name>\w+)' of type .* must have a selection"), "{whole}", "selectionMismatch"),
    (
        re.compile(r"cannot represent|does not exist in|Expected value of type|Enum '"),
        "{whole}",
        "argumentLiteralsIncompatible",
    ),
)


class Document:
    """One text: either its errors, or what it takes to price and run it."""

    def __init__(self, text: str) -> None:
        self.errors: list[dict[str, Any]] = []
        self._plans: dict[str, Plan] = {}
        try:
            self._document: DocumentNode = parse(text)
        except GraphQLError as error:
            self.errors = [_formatted(error)]
            return
        self.errors = [_invalid(error) for error in validate(SCHEMA, self._document)]
        if self.errors:
            return
        for node in self._document.definitions:
            if isinstance(node, OperationDefinitionNode):
                self._plans[node.name.value if node.name else ""] = Plan(self._document, node)

    def plan(self, operation: str | None) -> Plan | None:
        """The costs of the named operation, of the only one without a name; None when there is none such."""
        if not operation and len(self._plans) == 1:
            return next(iter(self._plans.values()))
        return self._plans.get(operation or "")

    def execute(
        self, context: Context, variables: dict[str, Any], operation: str | None, rng: random.Random
    ) -> dict[str, Any]:
        """Run it: ``data`` and, when there are any, ``errors``."""
        result = execute_sync(
            SCHEMA,
            self._document,
            context_value=context,
            variable_values=variables,
            operation_name=operation or None,
            field_resolver=read_field,
        )
        errors = [_run_error(error, rng) for error in result.errors or ()]
        if errors and result.data is None and all("path" not in error for error in errors):
            return {"errors": errors}
        return {"data": result.data, **({"errors": errors} if errors else {})}


@lru_cache(maxsize=256)
def read(text: str) -> Document:
    """The document of a text."""
    return Document(text)


def internal_error(rng: random.Random) -> dict[str, Any]:
    """The vendor's own fault, as it reports it with HTTP 200."""
    id_ = str(uuid.UUID(int=rng.getrandbits(128)))
    message = "Internal error. Looks like something went wrong on our end.\n"
    message += f"Request ID: {id_} (include this in support requests)."
    return {"message": message, "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": id_}}


def _formatted(error: GraphQLError) -> dict[str, Any]:
    return dict(error.formatted)


def _invalid(error: GraphQLError) -> dict[str, Any]:
    out = _formatted(error)
    for pattern, words, code in WORDS:
        found = pattern.search(error.message)
        if found:
            names = found.groupdict()
            out["message"] = words.format(whole=error.message, **names)
            out["extensions"] = {"code": code, **names}
            break
    return out


def _run_error(error: GraphQLError, rng: random.Random) -> dict[str, Any]:
    if error.original_error is not None and not isinstance(error.original_error, GraphQLError):
        LOG.error("the practice shop failed at %s", error.path, exc_info=error.original_error)
        return {**_formatted(error), **internal_error(rng)}
    out = _formatted(error)
    if error.path is None and "extensions" not in out:
        out["extensions"] = {"code": "INVALID_VARIABLE"}
    return out
