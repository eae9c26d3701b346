"""The one public door: every byte between a browser and a sandbox passes here and is judged here.

targets, policy, origins, headers, hosts   pure: request shapes, routes, cross-site rules, filters, host names
statics, pages, journal, metering          files of the trusted environment, wording, the log, the budget
sign_on, upstreams                         who is signed on at a site; the sandboxes behind the door
relay, sockets, serving                    bytes both ways over HTTP and WebSocket; one judged request
sites, dashboards, front, control, door    a person's site, a dashboard's, the main one, the hub's wires, all
"""
