"""A browser for the demo: opens an address and follows it, as a person does who agrees to everything."""

from __future__ import annotations

import sys
import urllib.request

if __name__ == "__main__":
    with urllib.request.urlopen(sys.argv[1], timeout=30) as page:
        page.read()
