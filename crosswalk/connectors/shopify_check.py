"""Whether a connection to Shopify is fit for use, by reading alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crosswalk.connectors import graphql
from crosswalk.connectors.base import Answer, Check, Checked
from crosswalk.connectors.shopify_documents import CUSTOMERS, allows
from crosswalk.errors import AccessDenied, BadCredentials, Drift, VendorError

if TYPE_CHECKING:
    from crosswalk.connectors.shopify import Shopify

SHOP = (
    "query Shop { shop { name myshopifyDomain currencyCode ianaTimezone } "
    "currentAppInstallation { accessScopes { handle } } }"
)


def check(shopify: Shopify) -> Check:
    """Token, version, shop, currency, zone, scopes, customer data, clock, quota."""
    try:
        answer = shopify.ask(SHOP, {})
    except BadCredentials as error:
        return Check((Checked("credentials", False, str(error)),))
    except Drift as error:
        return Check((Checked("credentials", True, "the token is accepted"), Checked("version", False, str(error))))
    except VendorError as error:
        return Check((Checked("credentials", None, str(error)),))
    data = graphql.loads(answer.body)["data"]
    found = [
        Checked("credentials", True, "the token is accepted"),
        Checked(
            "version", True, answer.header("x-shopify-api-version") or f"{shopify.version} (the answer does not say)"
        ),
    ]
    found += _shop(shopify, data["shop"])
    found += _scopes(shopify, {str(s["handle"]) for s in data["currentAppInstallation"]["accessScopes"]})
    found.append(_customers(shopify))
    skew = abs((shopify.client.vendor_now() - shopify.clock.now()).total_seconds())
    found.append(Checked("clock", skew <= 60, f"{skew:.0f} s between Shopify's clock and ours"))
    return Check((*found, _quota(answer)))


def _shop(shopify: Shopify, shop: dict[str, Any]) -> list[Checked]:
    connection = shopify.connection
    wanted = str(connection.settings.get("shop") or connection.account)
    return [
        Checked("shop", shop["myshopifyDomain"] == wanted, f"{shop['name']}, {shop['myshopifyDomain']}"),
        _same("currency", connection.currency, shop["currencyCode"]),
        _same("zone", connection.zone, shop["ianaTimezone"]),
    ]


def _same(what: str, ours: str, theirs: str) -> Checked:
    if not ours or ours == theirs:
        return Checked(what, True, theirs)
    return Checked(what, False, f"the shop has {theirs}, the connection says {ours}")


def _scopes(shopify: Shopify, granted: set[str]) -> list[Checked]:
    found = []
    for scope in shopify.system.scopes:
        has = allows(frozenset(granted), scope)
        if scope == "read_all_orders" and not has:
            detail = "not granted: orders older than 60 days, and their changes, cannot be seen"
            found.append(Checked(f"scope {scope}", None, detail))
        else:
            found.append(Checked(f"scope {scope}", has, "granted" if has else "not granted"))
    return found


def customers_shown(shopify: Shopify) -> bool:
    """True when customers are shown with what names them, False when there are none to tell by.

    Raises AccessDenied when they are withheld, aloud or by nulls: a customer without name, mail and phone cannot be.
    """
    customers = graphql.loads(shopify.ask(CUSTOMERS, {}).body)["data"]["customers"]["nodes"]
    if any(not any(customer.values()) for customer in customers):
        raise AccessDenied(
            "Shopify shows customers without name, mail and phone: the app is not approved for protected customer data",
            safe="nothing was read; an order without a customer could not be told from one whose customer is withheld",
            next_command="request access to protected customer data for the app in Shopify's dashboard",
        )
    return bool(customers)


def _customers(shopify: Shopify) -> Checked:
    try:
        shown = customers_shown(shopify)
    except AccessDenied as error:
        return Checked("customer data", False, f"withheld: {error.what}")
    except VendorError as error:
        return Checked("customer data", None, str(error))
    return Checked("customer data", True if shown else None, "can be read" if shown else "there is no customer yet")


def _quota(answer: Answer) -> Checked:
    price = graphql.cost(graphql.envelope(answer.body)[1])
    if price is None:
        return Checked("quota", None, "the answer does not say")
    return Checked(
        "quota", True, f"{price.available:.0f} of {price.maximum:.0f} points, {price.restore:.0f} more each second"
    )
