"""Tests of code systems."""
