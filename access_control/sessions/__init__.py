"""Sessions: a person at work in one project."""
