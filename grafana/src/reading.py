"""Reading a finished dashboard: its panels, and its PromQL as Grafana would send it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from style import Json


def panels_of(board: Json) -> Iterator[Json]:
    """Yield every panel, rows and the panels in collapsed rows included."""
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", ())


def queries(board: Json) -> list[tuple[str, str]]:
    """Return title and PromQL of every query of a dashboard: its panels, annotations and variables."""
    found = [(panel["title"], target["expr"]) for panel in panels_of(board) for target in panel.get("targets", ())]
    found += [(f"annotation {each['name']}", each["expr"]) for each in board["annotations"]["list"] if "expr" in each]
    for variable in board["templating"]["list"]:
        asked = str(variable.get("definition", ""))
        if asked.startswith("query_result("):
            found.append((f"variable {variable['name']}", asked.removeprefix("query_result(").removesuffix(")")))
    return found


def interpolate(expr: str, values: Mapping[str, str] | None = None) -> str:
    """Return an expression as Grafana sends it: variables replaced, all builds and machines by default."""
    known = {"__rate_interval": "20s", "__range": "6h", "__interval": "15s"}
    known |= {"build": ".+", "instance": ".+", "step": ".+", **(values or {})}
    for name in sorted(known, key=len, reverse=True):
        expr = expr.replace(f"${{{name}}}", known[name]).replace(f"${name}", known[name])
    return expr
