"""Which handler answers which path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import unquote

from build_exporter.web.errors import error
from build_exporter.web.messages import Answer, App, Request, redirect

_PARAMETER: Final = re.compile(r"{(\w+)(:\w+)?}")
_FORMS: Final = {None: "[^/]+", ":empty": "[^/]*", ":path": ".*"}
_PLAIN: Final = re.compile(r"%(?:2[DdEe]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee])")
"""An escape of a character that stands for itself: with or without it the address is the same (RFC 3986, 6.2.2.2)."""


class Route:
    """A path with the methods it is asked by, and what answers.

    `{name}` in the path is a parameter, `{name:empty}` one that may be empty, `{name:path}` one with slashes, too. The
    path is taken as it was sent, and its parameters are decoded then: `%2F` is a slash of a name. GET answers HEAD
    too; no methods: any.
    """

    def __init__(self, path: str, handler: App, methods: Sequence[str] = ("GET",)) -> None:
        self.path = path
        self.handler = handler
        self.methods = frozenset(methods) | ({"HEAD"} if "GET" in methods else set())
        pieces, end = [], 0
        for found in _PARAMETER.finditer(path):
            pieces += [re.escape(path[end : found.start()]), f"(?P<{found[1]}>{_FORMS[found[2]]})"]
            end = found.end()
        self.pattern = re.compile("".join(pieces) + re.escape(path[end:])) if end else None


class Router:
    """Answers a request by the first route of its path and method, else 404 or 405."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._fixed: dict[str, list[Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], Route]] = []
        for route in routes:
            if route.pattern is None:
                self._fixed.setdefault(route.path, []).append(route)
            else:
                self._patterns.append((route.pattern, route))

    def __call__(self, request: Request) -> Answer:
        """Return the answer, and note in the request which route it was."""
        allowed: set[str] = set()
        path = request.raw_path.decode("ascii")
        path = _PLAIN.sub(lambda found: unquote(found[0]), path) if "%" in path else path
        for route, parameters in self._matching(path):
            if not route.methods or request.method in route.methods:
                request.handler, request.path_params = route.path, parameters
                return route.handler(request)
            request.handler = route.path if not allowed else request.handler
            allowed |= route.methods
        if allowed:
            headers = {"allow": ", ".join(sorted(allowed))}
            return error(405, "method-not-allowed", "Method Not Allowed", headers=headers)
        bare = path.rstrip("/")
        if bare and bare != path and next(self._matching(bare), None):
            query = request.query_string.decode("latin-1")
            return redirect(bare + (f"?{query}" if query else ""))
        return error(404, "not-found", "Not Found")

    def _matching(self, path: str) -> Iterator[tuple[Route, dict[str, str]]]:
        for route in self._fixed.get(path, ()):
            yield route, {}
        for pattern, route in self._patterns:
            if (found := pattern.fullmatch(path)) is not None:
                yield route, {name: unquote(value) for name, value in found.groupdict().items()}
