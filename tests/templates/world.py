"""Knows the data that the template cases are rendered with; oracle/main.go builds the same in Go."""

from __future__ import annotations

from updater.templates import Ints, StringMap, Strings, Struct


def item(name: str, tag: str, size: int) -> Struct:
    return Struct("main.Item", (("Name", name), ("Tag", tag), ("Size", size)))


def thing(version: str, kind: str, name: str) -> Struct:
    inner = Struct("main.Kind", (("APIVersion", version), ("Kind", kind)))
    return Struct("main.Object", (("Kind", inner), ("Name", name)), embedded=frozenset({"Kind"}))


WEB = item("web", "1.2.3", 10)
API = item("api", "v2.0", 20)

WORLD = Struct(
    "main.World",
    (
        ("Name", "app"),
        ("Count", 3),
        ("Ratio", 2.5),
        ("On", True),
        ("Blank", ""),
        ("Nil", None),
        ("List", ["a", 1, None, 2.5, True, ["x", "y"]]),
        ("Words", Strings(["pear", "apple", "fig"])),
        ("Numbers", Ints([3, 1, 2])),
        ("None", []),
        ("Map", {"b": 2, "a": "one", "nil": None, "deep": {"k": "v", "n": [1, "z"]}}),
        ("Text", StringMap(cluster="prod", region="eu", empty="")),
        ("Item", WEB),
        ("Items", [WEB, API]),
        (
            "Objects",
            {
                thing("v1", "Service", "b"): [API],
                thing("apps/v1", "Deployment", "b"): [WEB, API],
                thing("apps/v1", "Deployment", "a"): [],
            },
        ),
        ("Key", Struct("main.Key", (("Namespace", "flux-system"), ("Name", "auto")), text="flux-system/auto")),
        ("Greet", lambda name: f"hello {name}"),
    ),
)
