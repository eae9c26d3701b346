"""Erasing what people put into statements, while the record of what they did stays."""
