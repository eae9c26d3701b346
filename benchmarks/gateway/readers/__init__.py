"""What runs in a contender's own environment: its reader and, for some, its server. Imports no house code."""
