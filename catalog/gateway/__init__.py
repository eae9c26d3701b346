"""The governed way to rows: decides, records and hands out single-use tickets. Knows no people's rules."""
