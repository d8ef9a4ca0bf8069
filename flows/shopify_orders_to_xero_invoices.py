"""Every Shopify order becomes one Xero sales invoice."""

from typing import Any

from prefect import State, flow

from crosswalk.prefect_run import main
from flows.sync import OPTIONS, Binding, DryRun, Full, Ids, Since, Until, sync
from mappings.shopify_orders_to_xero_invoices import INTEGRATION


@flow(name="shopify orders to xero invoices", **OPTIONS)
def shopify_orders_to_xero_invoices(
    binding: Binding, since: Since = None, until: Until = None, ids: Ids = None, dry_run: DryRun = False,
    full: Full = False,
) -> State[Any]:  # fmt: skip
    """Every Shopify order becomes one Xero sales invoice; its payments, refunds and refund payments follow as parts.

    From shopify.orders to xero, by mappings/shopify_orders_to_xero_invoices.py.
    Owner: finance. Fresh within 30 minutes. An order whose customer is no contact yet waits for it.
    """
    return sync(INTEGRATION, binding, since, until, ids, dry_run, full)


if __name__ == "__main__":
    main(shopify_orders_to_xero_invoices)
