"""JupyterHub as Campus runs it: named servers a project, sandboxes for servers, the gate for a proxy.

parts          what the classes below share: desks, launcher, broker, gate
sandboxes      opens a session or a dashboard in order, waits until it answers, ends it
spawner, proxy, authenticator   JupyterHub's three seams
culling        stops idle sessions, never a running cell
app            JupyterHub with the watches that belong to it
"""
