"""Fixtures of the tests of probes: one try of a probe as the exporter makes it, and servers with chosen behaviour."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from behaving import Listen, Once, listening

from build_exporter.config.probes import Probe
from build_exporter.probes.prober import Prober
from build_exporter.probes.state import Result


@pytest.fixture
def once(poll: Callable[..., None]) -> Once:
    """Try a probe once and return the result."""

    def tried(kind: str, target: str, timeout: float = 10.0, **settings: Any) -> Result:
        prober = Prober(spread=0.0)
        probe = Probe(name="a", kind=kind, target=target, timeout=timeout, interval=3600.0, **settings)  # type: ignore[arg-type]
        assert list(probe.faults()) == []
        prober.configure([probe])
        (state,) = prober.states()
        poll(lambda: state.newest is not None, 60, "the probe is tried")
        prober.stop()
        assert state.newest is not None
        return state.newest

    return tried


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Start servers that hand each connection to a function; return the port."""
    with contextlib.ExitStack() as stack:
        yield lambda behave: listening(stack, behave)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of `localhost` that signs itself, good for 20 days, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    directory = tmp_path_factory.mktemp("certificate")
    cert, key = directory / "cert.pem", directory / "key.pem"
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "20")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    made = ("openssl", "req", "-x509", *kind, *names, "-out", str(cert), "-keyout", str(key))
    subprocess.run(made, check=True, capture_output=True)
    return cert, key
