"""Reading a statement's tree against allow-lists. Pure; runs nothing."""
