"""Crosswalk moves business records between systems and accounts for every one of them."""

__version__ = "0.1.0"
