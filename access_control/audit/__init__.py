"""The record of everything: append-only, durable before the answer, provable to a third party."""
