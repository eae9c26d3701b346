"""Certificates: by which a session on another machine is known."""
