"""Tests of finding datasets."""
