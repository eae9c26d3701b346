"""JupyterHub's configuration: only sets, never appends. What decides lives in the classes it names."""

# ruff: noqa: F821
# mypy: disable-error-code="name-defined"
from urllib.parse import quote

from hub_config.hub.authenticator import TicketAuthenticator
from hub_config.hub.parts import parts_of
from hub_config.hub.proxy import GateProxy
from hub_config.hub.spawner import SessionSpawner
from hub_config.settings import load

settings = load()
TicketAuthenticator.parts = GateProxy.parts = SessionSpawner.parts = parts_of(settings)
folder, secrets = settings.state / "hub", settings.state / "secrets"

c = get_config()
hub = c.JupyterHub
hub.bind_url = settings.url
hub.hub_bind_url = f"http+unix://{quote(str(settings.socket('hub')), safe='')}"
hub.hub_socket_mode = 0o600
hub.db_url = f"sqlite:///{folder}/hub.sqlite"
hub.cookie_secret_file = str(secrets / "hub_cookie.secret")
hub.authenticator_class = TicketAuthenticator
hub.spawner_class = SessionSpawner
hub.proxy_class = GateProxy
hub.allow_named_servers = True
hub.cleanup_servers = False  # sessions outlive the hub
hub.cleanup_proxy = False
hub.last_activity_interval = 60
hub.proxy_check_interval = 60
hub.services = [{"name": "portal", "api_token": (secrets / "hub_api.token").read_text("ascii").strip()}]
hub.load_roles = [
    {"name": "portal", "services": ["portal"], "scopes": ["admin:users", "admin:servers"]},
    {"name": "user", "scopes": ["read:users!user", "servers!user", "access:servers!user"]},  # no shares
]
hub.tornado_settings = {"slow_spawn_timeout": 2, "headers": {"X-Content-Type-Options": "nosniff"}}
c.Authenticator.any_allow_config = True  # check_allowed decides
c.Spawner.poll_interval = 5
c.Spawner.start_timeout = 90
c.Spawner.http_timeout = 60
c.Spawner.default_url = "/lab"
