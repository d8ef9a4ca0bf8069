"""What the practice business sold: a sales list made from a seed, and what the books must say about it."""
