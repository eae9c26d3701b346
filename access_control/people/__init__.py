"""People: applications, accounts, roles and sign-in."""
