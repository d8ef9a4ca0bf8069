"""How a message reaches people: one module a kind of channel, all with the same few outcomes (base.py)."""
