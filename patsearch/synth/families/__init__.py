"""Families of objects, a few to a file.

A new family is a function that adds solids to an `Assembly`, with `@family(...)` above it, in one of these
files or a new one named in the import below; everything else follows from the registry.
"""

from __future__ import annotations

from patsearch.synth.families import (  # noqa: F401  (importing registers)
    appliances,
    containers,
    devices,
    furniture,
    hardware,
    kitchen,
    lighting,
    storage,
    surfaces,
    toys,
    vessels,
    wearables,
)
from patsearch.synth.families.registry import Family, family, registered

FAMILIES: dict[str, Family] = registered()
"""All families by name."""

__all__ = ["FAMILIES", "Family", "family"]
