"""The receiver: verifies what arrives, keeps it, answers, and does nothing else."""
