"""Walls around processes that run unread code; knows namespaces and limits, never people or datasets."""
