"""Entry points of the processes: each assembles one service from the settings and runs it."""
