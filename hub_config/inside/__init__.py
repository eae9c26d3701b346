"""Programs that run inside sandboxes, with the session's environment only; none imports the server."""
