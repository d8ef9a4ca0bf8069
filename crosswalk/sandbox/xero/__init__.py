"""A practice Xero: the Accounting API 2.0 and its identity service, as far as a connector can meet them."""

from crosswalk.sandbox.xero.app import create
from crosswalk.sandbox.xero.organisation import (
    CLIENT_ID,
    CLIENT_SECRET,
    CUSTOM_CLIENT_ID,
    NATIVE_CLIENT_ID,
    REDIRECT_URI,
    Limits,
    Organisation,
)

__all__ = [
    "CLIENT_ID",
    "CLIENT_SECRET",
    "CUSTOM_CLIENT_ID",
    "NATIVE_CLIENT_ID",
    "REDIRECT_URI",
    "Limits",
    "Organisation",
    "create",
]
