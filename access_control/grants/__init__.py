"""Grants: which project may read which dataset, for what and until when."""
