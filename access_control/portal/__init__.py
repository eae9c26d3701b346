"""The portal: server-rendered pages over the desks. Decides nothing itself."""
