"""Checks requests and answers against a vendor's OpenAPI 3.0 file, strictly: what the file does not declare is wrong.

``xero().check_request(...)`` and ``xero().check_answer(...)`` return a list of violations, empty when all is well. What
is wrong in the vendor's file itself is listed here, each with its reason, and in no other place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import jsonschema_rs
import yaml
from skips import SPECS

XERO_BASE = "/api.xro/2.0"

# What Xero's file forgets. Properties of its own examples that the schema beside them does not declare:
XERO_UNDECLARED: Mapping[str, set[str]] = {
    "*": {"Id", "Status", "ProviderName", "DateTimeUTC"},  # the envelope of every answer
    "Invoice": {"DateString", "DueDateString"},  # the day as text beside its stamp
    "CreditNote": {"DateString", "DueDateString", "ID"},  # the same, and the id a second time
    "LineItem": {"ValidationErrors"},
    "HistoryRecord": {"DateUTCString", "ValidationErrors"},
    "Contact": {"ContactGroups"},
    "Element": {"*"},  # an element that is refused echoes the whole record; only ids are declared
}
# Operations whose declared body is not the one of their example; the example's form is accepted too.
XERO_BODIES = {
    ("POST", "/Payments"): "Payments",
    ("POST", "/Payments/{PaymentID}"): "Payments",
}
# Path parameters declared as uuid that take a number as well, by the description of the operation.
XERO_NUMBERS = {"InvoiceID", "CreditNoteID", "ItemID"}
# Statuses that the file does not know; they follow the fact sheet.
XERO_UNKNOWN_STATUSES = {304, 401, 403, 404, 413, 429, 500, 501, 502, 503, 504}

_MS_DATE = r"^/Date\(-?\d+([+-]\d{4})?\)/$"
_SENT_DATE = r"^(\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2})?|/Date\(-?\d+([+-]\d{4})?\)/)$"
_SINCE = re.compile(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})?$")


class Spec:
    """One OpenAPI file. base: the path in front of every path of the file."""

    def __init__(self, file: Path, base: str) -> None:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        document = yaml.load(file.read_text(), Loader=loader)
        self.base, self.paths = base, document["paths"]
        self.parameters = document["components"]["parameters"]
        self.parts = document["components"]
        self.schemas = {sent: _strict(document["components"]["schemas"], sent) for sent in (True, False)}
        self._validators: dict[tuple[str, bool], Any] = {}

    def check_request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> list[str]:
        """Violations of a request. path: with or without the base, escaped or not.  body: None or empty for none."""
        found = self.operation(method, path)
        if isinstance(found, str):
            return [found]
        template, operation, values = found
        declared = [self._resolve(p) for p in (*operation.get("parameters", ()), *self._common(template))]
        problems = list(_parameters(declared, values, params, headers))
        content = self._resolve(operation.get("requestBody", {})).get("content", {})
        if not body:
            needed = self._resolve(operation.get("requestBody", {})).get("required")
            return problems + (["the body is missing"] if needed else [])
        if not content:
            return [*problems, "a body where none is declared"]
        if "application/json" not in {k.lower(): v for k, v in headers.items()}.get("content-type", ""):
            problems.append("the body is not declared as application/json")
        name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
        wrong = self._wrong(name, body, sent=True)
        other = XERO_BODIES.get((method.upper(), template))
        if wrong and other:
            wrong = self._wrong(other, body, sent=True)
        return problems + wrong

    def check_answer(self, method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
        """Violations of an answer; statuses that the file does not know are left alone."""
        found = self.operation(method, path)
        if isinstance(found, str):
            return [] if status == 404 else [found]
        _, operation, _ = found
        responses = operation["responses"]
        if str(status) not in responses:
            if status == 400:
                return self._wrong("Error", body, sent=False)
            return [] if status in XERO_UNKNOWN_STATUSES else [f"status {status} is not declared"]
        content = self._resolve(responses[str(status)]).get("content", {})
        if not content:
            return ["a body where none is declared"] if body else []
        if not {k.lower(): v for k, v in headers.items()}.get("content-type", "").startswith("application/json"):
            return ["the answer is not declared as application/json"]
        return self._wrong(content["application/json"]["schema"]["$ref"].rpartition("/")[2], body, sent=False)

    def operation(self, method: str, path: str) -> tuple[str, dict[str, Any], dict[str, str]] | str:
        """(template, operation, path values), or what is wrong; a template whose uuid fits is taken first."""
        path = path.partition("?")[0]
        parts = path.removeprefix(self.base).strip("/").split("/")
        fitting = []
        for template, item in self.paths.items():
            names = template.strip("/").split("/")
            values = _path_values(names, parts)
            if values is not None and method.lower() in item:
                literal = sum(not n.startswith("{") for n in names)
                uuids = sum(_is_uuid(v) == ("ID" in n) for n, v in values.items())
                fitting.append((literal, uuids, template, values))
        if not fitting:
            return f"{method} {path} is not declared"
        _, _, template, values = max(fitting, key=lambda f: f[:2])
        return template, self.paths[template][method.lower()], values

    def _common(self, template: str) -> list[dict[str, Any]]:
        return list(self.paths[template].get("parameters", ()))

    def _resolve(self, part: Mapping[str, Any]) -> dict[str, Any]:
        while "$ref" in part:
            found: Any = self.parts
            for name in part["$ref"].removeprefix("#/components/").split("/"):
                found = found[name]
            part = found
        return dict(part)

    def _wrong(self, name: str, body: bytes, sent: bool) -> list[str]:
        try:
            instance = json.loads(body)
        except ValueError as error:
            return [f"the body is no JSON: {error}"]
        key = (name, sent)
        if key not in self._validators:
            schema = {"$ref": f"#/$defs/{name}", "$defs": self.schemas[sent]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        return [
            f"{'.'.join(str(p) for p in error.instance_path) or name}: {error.message}"
            for error in self._validators[key].iter_errors(instance)
        ]


@lru_cache(maxsize=1)
def xero() -> Spec:
    """Xero's Accounting API."""
    return Spec(SPECS / "xero" / "xero_accounting.yaml", XERO_BASE)


def check_request(
    method: str,
    path: str,
    params: Mapping[str, str] | Sequence[tuple[str, str]],
    headers: Mapping[str, str],
    body: bytes | None,
) -> list[str]:
    """Violations of a request to Xero's Accounting API."""
    return xero().check_request(method, path, params, headers, body)


def check_answer(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
    """Violations of an answer of Xero's Accounting API."""
    return xero().check_answer(method, path, status, headers, body)


def _strict(schemas: Mapping[str, Any], sent: bool) -> dict[str, Any]:
    """The schemas for JSON Schema 2020-12, refusing what is not declared and, in requests, what is read-only."""
    return {name: _closed(name, schema, sent) for name, schema in _moved(schemas).items()}


def _moved(part: Any) -> Any:
    if isinstance(part, dict):
        kept = {k: v for k, v in part.items() if k not in ("example", "externalDocs", "description")}
        if isinstance(kept.get("default"), str) and kept.get("type") == "boolean":
            del kept["default"]
        if "$ref" in kept and isinstance(kept["$ref"], str):
            kept["$ref"] = kept["$ref"].replace("#/components/schemas/", "#/$defs/")
        return {k: _moved(v) for k, v in kept.items()}
    return [_moved(v) for v in part] if isinstance(part, list) else part


def _closed(name: str, schema: Any, sent: bool) -> Any:
    properties = schema.get("properties")
    if properties is None:
        return schema
    extra = set() if sent else XERO_UNDECLARED["*"] | XERO_UNDECLARED.get(name, set())
    shown = {k: _dated(v, sent) for k, v in properties.items() if not (sent and v.get("readOnly"))}
    closed = {**schema, "properties": {**{k: {} for k in extra if k not in shown}, **shown}}
    if "*" not in extra:
        closed["additionalProperties"] = False
    return closed


def _dated(schema: Any, sent: bool) -> Any:
    if not (schema.get("x-is-msdate") or schema.get("x-is-msdate-time")):
        return schema
    return {"type": "string", "pattern": _SENT_DATE if sent else _MS_DATE}


def _path_values(names: Sequence[str], parts: Sequence[str]) -> dict[str, str] | None:
    if len(names) != len(parts):
        return None
    values = {}
    for name, part in zip(names, parts, strict=True):
        if name.startswith("{"):
            values[name[1:-1]] = unquote(part)
        elif name != part:
            return None
    return values


def _parameters(
    declared: Sequence[Mapping[str, Any]],
    path: Mapping[str, str],
    params: Mapping[str, str] | Sequence[tuple[str, str]],
    headers: Mapping[str, str],
) -> Iterator[str]:
    asked = list(params.items() if isinstance(params, Mapping) else params)
    given = {k.lower(): v for k, v in headers.items()}
    names = {p["name"]: p for p in declared if p["in"] == "query"}
    for name, value in asked:
        if name not in names:
            yield f"parameter {name} is not declared"
        elif not _fits(value, names[name]["schema"]):
            yield f"parameter {name} is wrong: {value}"
    for parameter in declared:
        name, where = parameter["name"], parameter["in"]
        if where == "path" and not _fits(path[name], parameter["schema"]) and name not in XERO_NUMBERS:
            yield f"{name} in the path is wrong: {path[name]}"
        if parameter.get("required") and where == "query" and name not in dict(asked):
            yield f"parameter {name} is missing"
        if parameter.get("required") and where == "header" and not given.get(name.lower()):
            yield f"header {name} is missing"
    wanted = {p["name"].lower() for p in declared if p["in"] == "header"}
    yield from _headers(given, wanted)


def _headers(given: Mapping[str, str], wanted: set[str]) -> Iterator[str]:
    """Headers that mean something to Xero, where they are declared and only there."""
    for name in ("if-modified-since", "idempotency-key"):
        if name in given and name not in wanted:
            yield f"header {name} is not declared"
    if len(given.get("idempotency-key", "")) > 128:
        yield "header idempotency-key is longer than 128 characters"
    since = given.get("if-modified-since")
    # Declared as a date-time, which would need a zone; Xero's own SDK sends UTC without one.
    if since is not None and not _SINCE.match(since):
        yield f"header if-modified-since is wrong: {since}"


def _fits(value: str, schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    if kind == "array":
        return all(_fits(part, schema["items"]) for part in value.split(","))
    if kind == "boolean":
        return value in ("true", "false")
    if kind == "integer":
        return value.isdecimal()
    if schema.get("format") == "uuid":
        return _is_uuid(value)
    return not schema.get("enum") or value in schema["enum"]


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True
