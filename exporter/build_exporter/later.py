"""Modules of the standard library that are loaded with their first use.

asyncio imports `ssl`, and with it OpenSSL, which takes 6 MB of memory of an exporter that speaks no TLS.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Final

_lock: Final = allocate_lock()


class _Later(ModuleType):
    """Stands for a module; whatever is asked of it first, but for `known`, loads the module, in any thread."""

    def __init__(self, name: str, known: dict[str, Any]) -> None:
        super().__init__(name)
        vars(self).update(known)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        with _lock:
            # a second thread would throw out the module that the first has just loaded
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
        module = import_module(self.__name__)
        vars(self).update(vars(module))
        return getattr(module, name)


def load_openssl_later() -> None:
    """Have OpenSSL load with its first use; to be called before asyncio is imported."""
    later: dict[str, dict[str, Any]] = {
        # asyncio asks of each connection whether it is one already: without the module there is none
        "ssl": {"SSLSocket": ()},
        # it asks `ssl` for something at once
        "asyncio.sslproto": {},
        # jinja2 asks for this one; it names templates by it
        "hashlib": {"sha1": import_module("_sha1").sha1} if find_spec("_sha1") else {},
        "hmac": {},
    }
    for name, known in later.items():
        sys.modules.setdefault(name, _Later(name, known))
