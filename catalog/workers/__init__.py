"""Programs that run inside sandboxes, with the session's environment only. Know nothing of `catalog`."""
