"""The section `alerting` of the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Self

from build_exporter.config.section import Section, about, repeated


class Alertmanager(Section, frozen=True):
    """One Alertmanager; passwords and tokens stand in files, which are read anew for each request."""

    url: Annotated[str, about("Its address, as this machine reaches it.", "url", secret=True)]
    username: Annotated[str | None, about("User of basic authentication.", "name")] = None
    password_file: Annotated[str | None, about("File with the user's password.", "path")] = None
    credentials_file: Annotated[str | None, about("File with a bearer token.", "path")] = None
    ca_file: Annotated[str | None, about("Authorities that may have signed its certificate, PEM.", "path")] = None
    cert_file: Annotated[str | None, about("Certificate the exporter shows, PEM.", "path")] = None
    key_file: Annotated[str | None, about("Key of that certificate, PEM.", "path")] = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield a fault where one half of a credential lacks the other, or there are two."""
        if (self.username is None) != (self.password_file is None):
            yield "username", "needs both username and password_file, or none of them"
        if self.username is not None and self.credentials_file is not None:
            yield "credentials_file", "has both username and credentials_file; allowed: one of them"
        if self.key_file is not None and self.cert_file is None:
            yield "key_file", "has a key_file without cert_file"

    @classmethod
    def faults_among(cls, items: Sequence[tuple[int, Self]]) -> Iterator[tuple[int, str, str, int]]:
        """Yield the addresses given twice."""
        yield from repeated(items, "url")


class Alerting(Section, frozen=True):
    """Receivers of alerts, times of escalation, and targets of links."""

    alertmanager_url: Annotated[
        str | None,
        about(
            "Alertmanager, as this machine reaches it: the short form of one in `alertmanagers`.", "url", secret=True
        ),
    ] = None
    alertmanagers: Annotated[
        tuple[Alertmanager, ...],
        about("Every Alertmanager of a cluster; alerts are sent to each of them. Without one nothing is sent."),
    ] = ()
    fast_path: Annotated[
        bool, about("Send an alert as soon as a build fails or waits, before Prometheus has scraped it.")
    ] = True
    escalation: Annotated[
        tuple[float, ...],
        about(
            "Time without acknowledgement until an alert goes to tier 2, then to tier 3, counted from its start. "
            'Exported as `build_threshold{name="escalation_2_seconds"}` and so on.',
            "seconds",
            within=(1, None),
        ),
    ] = (1800.0, 7200.0)
    builder: Annotated[
        str | None,
        about("The label `builder` that Prometheus gives this exporter's series, where it gives one.", "name"),
    ] = None
    external_url: Annotated[
        str | None,
        about(
            "The exporter's page, as those who get alerts reach it. Without it links lead to where it listens.",
            "url",
            secret=True,
        ),
    ] = None
    dashboards_url: Annotated[
        str | None,
        about(
            "Grafana with the shipped dashboards; without it alerts have no link to a dashboard.", "url", secret=True
        ),
    ] = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield a fault where tiers do not follow one another."""
        if any(later <= earlier for earlier, later in pairwise(self.escalation)) or len(self.escalation) > 2:
            yield "escalation", "has wrong tiers; allowed: at most two times, the second longer than the first"

    def servers(self) -> tuple[Alertmanager, ...]:
        """Return every Alertmanager, the one of the short form first."""
        short = () if self.alertmanager_url is None else (Alertmanager(url=self.alertmanager_url),)
        return (*short, *(each for each in self.alertmanagers if each.url != self.alertmanager_url))
