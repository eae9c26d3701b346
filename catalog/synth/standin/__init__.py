"""Stand-ins for custodians' deliveries: made-up people with habits and planted structure. Never actual data.

Made by another model and other seeds than the synthetic twins, so that grants, masks and disclosure checks
have something to protect. A real delivery replaces all of it.
"""
