"""Kind `dns`: a host name has an address."""

from __future__ import annotations

from build_exporter.config.probes import Probe
from build_exporter.probes.attempt import Attempt, ProbeError
from build_exporter.probes.network import resolve
from build_exporter.probes.state import Reason


def probe(settings: Probe, attempt: Attempt) -> None:
    """Resolve the target as the system does, or by the server that is named.

    Raises:
        OSError: it has no address.
        ProbeError: the server did not answer as it should.
    """
    if settings.server is None:
        resolve(settings.target, 0, attempt)
        return
    import dns.exception  # noqa: PLC0415 - an extra, loaded where it is used
    import dns.resolver  # noqa: PLC0415

    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [settings.server]
    try:
        with attempt.timed("resolve"):
            resolver.resolve_name(settings.target, lifetime=attempt.left())
    except dns.resolver.LifetimeTimeout:
        raise TimeoutError from None
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        raise ProbeError(Reason.UNRESOLVED) from None
    except dns.exception.DNSException as error:
        raise ProbeError(Reason.PROTOCOL, type(error).__name__) from None
