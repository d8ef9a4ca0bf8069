"""Every Shopify customer becomes one Xero contact."""

from typing import Any

from prefect import State, flow

from crosswalk.prefect_run import main
from flows.sync import OPTIONS, Binding, DryRun, Full, Ids, Since, Until, sync
from mappings.shopify_customers_to_xero_contacts import INTEGRATION


@flow(name="shopify customers to xero contacts", **OPTIONS)
def shopify_customers_to_xero_contacts(
    binding: Binding, since: Since = None, until: Until = None, ids: Ids = None, dry_run: DryRun = False,
    full: Full = False,
) -> State[Any]:  # fmt: skip
    """Every Shopify customer becomes one Xero contact; guests share one.

    From shopify.customers to xero, by mappings/shopify_customers_to_xero_contacts.py.
    Owner: finance. Fresh within 30 minutes. Runs before the orders, whose invoices hang on the contacts.
    """
    return sync(INTEGRATION, binding, since, until, ids, dry_run, full)


if __name__ == "__main__":
    main(shopify_customers_to_xero_contacts)
