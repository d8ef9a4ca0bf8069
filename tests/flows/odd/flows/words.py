"""What a flow imports."""

WORD = "first"
