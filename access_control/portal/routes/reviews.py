"""Reviewing what asks to leave (반출심사): the queue, one file at a time, the decision."""

from __future__ import annotations

from starlette.responses import Response

from access_control.errors import Conflict, Denied, Invalid, Missing
from access_control.portal.guarding import INERT_HEADERS
from access_control.portal.looks import look
from access_control.portal.preview import LARGEST_IMAGE, image_type
from access_control.portal.routes.exports import request_page
from access_control.portal.serving import get, post
from access_control.portal.visit import Visit


def queue(visit: Visit) -> Response:
    """What waits for me, and what I decided."""
    person, exports = visit.require(), visit.services.exports
    return visit.render("reviews.html", waiting=exports.queue(person), decided=exports.decided(person))


def view(visit: Visit) -> Response:
    """One file of a waiting request."""
    person, exports = visit.require(), visit.services.exports
    found = exports.get(person, visit.part("id"))
    seen = look(exports, person, found, int(visit.part("no")), visit.now)
    return visit.render("export_file.html", at="/reviews", r=found, look=seen)


def image(visit: Visit) -> Response:
    """An image of a waiting request, under headers that let nothing in it run."""
    exports = visit.services.exports
    file, path = exports.open_for_review(visit.require(), visit.part("id"), int(visit.part("no")), visit.now)
    if path.stat().st_size > LARGEST_IMAGE:
        raise Missing("export-file-unknown", no=file.no)
    content = path.read_bytes()
    kind = image_type(content[:64])
    if not kind:
        raise Missing("export-file-unknown", no=file.no)
    return Response(content, media_type=kind, headers=dict(INERT_HEADERS))


def decide(visit: Visit) -> Response:
    """Approve what was seen, or reject with a reason."""
    person, form, exports = visit.require(), visit.form, visit.services.exports
    number = visit.part("id")
    try:
        if form.text("decision") == "approve":
            exports.approve(person, number, form.text("reason"), visit.now, form.text("seen"))
            return visit.go("/reviews", "export-approved")
        exports.reject(person, number, form.text("reason"), visit.now)
    except (Invalid, Conflict) as error:
        return request_page(visit, error)
    except Denied as error:
        if error.reason != "export-changed":
            raise
        return request_page(visit, error)
    return visit.go("/reviews", "export-rejected")


ROUTES = [
    get("/reviews", queue),
    get("/exports/{id}/files/{no:int}/view", view),
    get("/exports/{id}/files/{no:int}/image", image),
    post("/exports/{id}/decision", decide),
]
