"""Every Shopify order becomes one Xero sales invoice; its payments, refunds and refund payments follow as parts.

Books are kept in the shop's own currency. The invoice total is what was ordered with later edits and before refunds;
refunds only ever become credit notes.
"""

from __future__ import annotations

from datetime import timedelta

from crosswalk.integration import Integration
from mappings.shopify_orders.allocations import refunds_to_allocations
from mappings.shopify_orders.credit_notes import refunds_to_credit_notes
from mappings.shopify_orders.invoices import orders_to_invoices
from mappings.shopify_orders.payments import transactions_to_payments
from mappings.shopify_orders.refund_payments import transactions_to_refund_payments

INTEGRATION = Integration(
    name="shopify_orders_to_xero_invoices",
    title="Shopify orders become Xero invoices, with payments, credit notes and refund payments",
    source="shopify.orders",
    target="xero",
    parts=(
        orders_to_invoices,
        transactions_to_payments,
        refunds_to_credit_notes,
        transactions_to_refund_payments,
        refunds_to_allocations,
    ),
    owner="finance",
    fresh_within=timedelta(minutes=30),
    after=("shopify_customers_to_xero_contacts",),
)
