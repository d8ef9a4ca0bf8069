"""What a system is, what can be read from it and written to it, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from crosswalk.errors import SettingsError
from crosswalk.http.answer import Classify, Tell, classify
from crosswalk.http.protocols import Quota
from crosswalk.schemas.base import Record

Verb = Literal["create", "update", "remove"]
Stream = Literal["cursor column", "event log", "full listing", "open items", "none"]
Order = Literal["keyset", "offset", "none"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a connection. secret: its value is the name of an environment variable or a Prefect block."""

    name: str
    about: str
    needed: bool = True
    secret: bool = False
    default: str = ""


@dataclass(frozen=True, slots=True)
class AuthWay:
    """One way of proving who we are.

    flow: ``static token`` | ``client credentials`` | ``authorization code``. Addresses may hold ``{settings}``.
    settings: the names of the settings it needs. rotates: every refresh gives a new refresh token.
    """

    flow: Literal["static token", "client credentials", "authorization code"]
    settings: tuple[str, ...]
    header: str = "Authorization"
    prefix: str = "Bearer "
    authorize_url: str = ""
    token_url: str = ""
    revoke_url: str = ""
    client_auth: Literal["basic", "body"] = "body"
    rotates: bool = False
    access_life: float = 0
    refresh_life: float = 0
    pkce: bool = False
    about: str = ""


@dataclass(frozen=True, slots=True)
class Safe:
    """A second time changes nothing: the operation sets absolute values."""


@dataclass(frozen=True, slots=True)
class Key:
    """The system recognises an idempotency key for ``life`` seconds after the first send, on its own clock.

    lookup: when the key is forgotten, ``look_up`` decides; absence counts from ``settles_after`` seconds after the last
    send ended.
    """

    life: float
    lookup: bool = True
    settles_after: float = 0


@dataclass(frozen=True, slots=True)
class LookUp:
    """No key: ``look_up`` decides; absence counts from ``settles_after`` seconds after the last send ended."""

    settles_after: float


@dataclass(frozen=True, slots=True)
class Never:
    """Neither key nor look-up: the integration says what to do in doubt."""


Repeat = Safe | Key | LookUp | Never


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of write.

    batch: members of one request at most. max_bytes: of the whole body. marker: the target field that carries our own
    reference. money: compare the target's own version (``current``) before sending.
    """

    name: Verb
    repeat: Repeat
    verb: str
    path: str
    batch: int = 1
    max_bytes: int = 1_000_000
    marker: str = ""
    money: bool = False


@dataclass(frozen=True, slots=True)
class Measure:
    """How records of a resource are counted and summed when both systems are compared.

    date: the field that says in which period a record belongs; a record without one belongs where its version does.
    money: the field with its amount; nothing is summed without one.  currency: dotted; the connection's without one.
    taxes: the amount by tax code, of a record that we send and of one as the system shows it.
    own: everything that lives there is ours or a finding; else only what carries our reference can be one.
    """

    date: str = ""
    money: str = ""
    currency: str = ""
    taxes: Callable[[Mapping[str, Any]], dict[str, Decimal]] | None = None
    own: bool = False


@dataclass(frozen=True)
class Resource:
    """One kind of record of a system.

    stream: how changes are found. order: how a listing is ordered while it changes; only a keyset listing lets the
    cursor move inside a window. lookback: seconds re-read before the cursor, at least the index lag. settle: seconds
    before the vendor's now that a window ends. grain: smallest step of the cursor column in seconds. matched_by: how
    the members of an answer are matched to what was sent. found_by: what finds a record whose answer was lost.
    finds: fields by which a record that somebody else made can be found, and so a mapping may ``match``.
    measure: what is counted and summed when both systems are compared; None where its records cannot be listed.
    """

    record: Record
    stream: Stream = "cursor column"
    order: Order = "none"
    lookback: float = 300
    settle: float = 60
    grain: float = 1
    scopes: tuple[str, ...] = ()
    operations: tuple[Operation, ...] = ()
    matched_by: str = ""
    found_by: str = ""
    finds: tuple[str, ...] = ()
    measure: Measure | None = None

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def key(self) -> str:
        return self.record.key


@dataclass(frozen=True, slots=True)
class Topic:
    """One kind of event that a system sends. name: as it arrives.

    resource: what to read afresh.  id: dotted paths in the body, the first that is there names the record.
    form: the record's key with that value inside.  subscribe: what a subscription calls it; empty where it is not
    asked for by us.
    """

    name: str
    resource: str
    id: tuple[str, ...] = ("id",)
    form: str = "{}"
    subscribe: str = ""


@dataclass(frozen=True, slots=True)
class Webhooks:
    """How a system tells of changes.

    scheme: how deliveries are signed.  secret: the secret of the connection that signs where no other is set.
    by_hand: subscriptions cannot be made through the API; what to set where.
    """

    scheme: Literal["shopify", "xero", "standard"]
    topics: tuple[Topic, ...]
    secret: str = ""
    by_hand: str = ""

    def topic(self, name: str) -> Topic | None:
        """The facts of a topic; None for one that we do not know."""
        return next((t for t in self.topics if t.name == name), None)


@dataclass(frozen=True)
class System:
    """A vendor's system, as data.

    url: base address; hosts: where credentials may be sent; both with ``{settings}`` inside.
    quota_of: what shares one quota. classify: the error that an answer stands for. tell: what it says about the quota.
    remarks: what ``crosswalk systems`` says besides.
    """

    name: str
    title: str
    kind: str
    url: str
    hosts: tuple[str, ...]
    settings: tuple[Setting, ...]
    auth: tuple[AuthWay, ...]
    quota: Quota
    quota_of: str
    scopes: tuple[str, ...]
    resources: Mapping[str, Resource]
    version: str = ""
    timeout: float = 30
    classify: Classify = classify
    tell: Tell | None = None
    remarks: tuple[str, ...] = ()
    webhooks: Webhooks | None = None

    def resource(self, name: str) -> Resource:
        """The resource ``shopify.orders`` (or ``orders``); SettingsError names those there are."""
        found = self.resources.get(name.removeprefix(f"{self.name}."))
        if found is None:
            known = ", ".join(r.name for r in self.resources.values())
            raise SettingsError(f"{self.title} has no resource {name!r} here; there are {known}")
        return found

    def operation(self, resource: str, op: str) -> Operation:
        """The operation ``create``, ``update`` or ``remove`` of a resource; SettingsError when it has none such."""
        for operation in self.resource(resource).operations:
            if operation.name == op:
                return operation
        raise SettingsError(f"{self.title}: {resource} cannot be written by {op!r}")
