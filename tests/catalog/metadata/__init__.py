"""Tests of machine-readable descriptions."""
