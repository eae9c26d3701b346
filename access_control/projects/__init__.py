"""Projects: why data is read, and by whom together."""
