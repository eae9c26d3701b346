"""Pages by concept; each module lists its own routes."""
