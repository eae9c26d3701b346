"""Synthetic twins of private datasets, and the stand-ins for their deliveries. Never a custodian's row."""
