"""Whether a connection to Xero is fit for use, by reading alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from crosswalk.clock import Clock
from crosswalk.connectors.base import Answer, Check, Checked
from crosswalk.connectors.wire import decode, instant
from crosswalk.errors import AccessDenied, BadCredentials, VendorError
from crosswalk.settings import Connection

if TYPE_CHECKING:
    from crosswalk.http.client import Client

API = "/api.xro/2.0"
# What a scope lets us read; the write scopes are granted with them or not at all, which no read can show.
READS = (
    ("accounting.settings.read", "TaxRates"),
    ("accounting.contacts", "Contacts"),
    ("accounting.invoices", "Invoices"),
    ("accounting.payments", "Payments"),
)


class Reads(Protocol):
    """What is needed of the connector."""

    @property
    def tenant(self) -> str: ...

    connection: Connection
    client: Client
    clock: Clock

    def get(self, path: str, params: list[tuple[str, str]] = ..., *, tenant: bool = ...) -> Answer: ...


def check(xero: Reads) -> Check:
    """Credentials, organisation, currency, lock dates, scopes, clock, quota."""
    found: list[Checked] = []
    try:
        connections = decode(xero.get("/connections", [], tenant=False).body)
    except BadCredentials as error:
        return Check((Checked("credentials", False, str(error)),))
    except VendorError as error:
        return Check((Checked("credentials", None, str(error)),))
    found.append(Checked("credentials", True, "the token is accepted"))
    tenants = {str(c.get("tenantId")): str(c.get("tenantName")) for c in connections}
    known = ", ".join(f"{name} = {one}" for one, name in tenants.items()) or "none"
    found.append(
        Checked("organisation", True, tenants[xero.tenant])
        if xero.tenant in tenants
        else Checked("organisation", False, f"{xero.tenant} is not connected to the app; connected: {known}")
    )
    found += _tried("organisation's settings", lambda: _organisation(xero))
    for scope, path in READS:
        found += _tried(f"scope {scope}", lambda scope=scope, path=path: _scope(xero, scope, path))  # type: ignore[misc]
    skew = abs((xero.client.vendor_now() - xero.clock.now()).total_seconds())
    found.append(Checked("clock", skew <= 60, f"{skew:.0f} s between Xero's clock and ours"))
    return Check(tuple(found))


def _tried(what: str, look: Callable[[], list[Checked]]) -> list[Checked]:
    try:
        return look()
    except AccessDenied as error:
        return [Checked(what, False, str(error))]
    except VendorError as error:
        return [Checked(what, None, str(error))]


def _organisation(xero: Reads) -> list[Checked]:
    answer = xero.get(f"{API}/Organisation")
    organisation = decode(answer.body)["Organisations"][0]
    base = str(organisation.get("BaseCurrency"))
    wanted = xero.connection.currency
    locks = [
        f"{name} {found:%Y-%m-%d}"
        for name, key in (("period lock", "PeriodLockDate"), ("end of year lock", "EndOfYearLockDate"))
        if (found := instant(organisation.get(key))) is not None
    ]
    left = answer.header("x-daylimit-remaining")
    return [
        Checked(
            "currency",
            not wanted or base == wanted,
            base if not wanted or base == wanted else f"the organisation keeps its books in {base}, not {wanted}",
        ),
        Checked("zone", True, str(organisation.get("Timezone"))),
        Checked("lock dates", True, ", ".join(locks) or "none: every period is open"),
        Checked("quota", left != "0", f"{left or 'an unknown number of'} calls left today"),
    ]


def _scope(xero: Reads, scope: str, path: str) -> list[Checked]:
    params = [] if path == "TaxRates" else [("page", "1"), ("pageSize", "1")]
    xero.get(f"{API}/{path}", params)
    return [Checked(f"scope {scope}", True, f"{path} can be read")]
