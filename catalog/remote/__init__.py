"""Sessions on other machines: certificates in the socket's place, bytes over TLS. Knows no statement."""
