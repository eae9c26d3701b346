"""Exports: what asks to leave, its review and its release."""
