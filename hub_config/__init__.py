"""Floor 3: assembles and starts. Hub, sessions, gate, services and the command line."""
