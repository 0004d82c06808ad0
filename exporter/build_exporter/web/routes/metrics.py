"""`/metrics`."""

from __future__ import annotations

from build_exporter.exposition import negotiate
from build_exporter.web.compress import MIN_BYTES, Packer, accepts_gzip
from build_exporter.web.messages import Request, Response
from build_exporter.web.routing import Route
from build_exporter.web.service import Service


def routes(service: Service) -> list[Route]:
    """Return the route of a scrape, at the path that the service names."""

    packer = Packer()

    def metrics(request: Request) -> Response:
        form = negotiate(request.header(b"accept"))
        service.monitor.poll()
        if request.header(b"user-agent").startswith("Prometheus/"):
            service.scraped_at = service.monitor.clock()
        parts = service.scrape.parts(form)
        headers = {"content-type": form.content_type, "vary": "Accept, Accept-Encoding"}
        if sum(map(len, parts)) >= MIN_BYTES and accepts_gzip(request.header(b"accept-encoding")):
            headers["content-encoding"] = "gzip"
            return Response(packer.pack(parts), headers=headers)
        return Response(b"".join(parts), headers=headers)

    return [Route(service.telemetry_path, metrics)]
