"""The gateway beside in-process DuckDB and its rivals, in one run. See `__main__` for how."""
