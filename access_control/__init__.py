"""Floor 2: people and rules. Who may read, what may leave, and the record of both."""
