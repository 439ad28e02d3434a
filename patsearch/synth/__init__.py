"""Synthetic design drawings: objects of many families, drawn as in design patents.

    from patsearch.synth import iter_designs, render_views, write_corpus

    write_corpus(Path("corpus"), designs=60, seed=1)           # weekly archives like the office's
    for design in iter_designs(seed=1, n=1000):                # or in memory, for training
        drawings = render_views(design.mesh, design.views, rng)

Needs the extra `synth` (numba, mapbox-earcut). Nothing heavy is imported before a name is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from patsearch.synth.corpus import CorpusReport, rebuild, write_corpus
    from patsearch.synth.design import Design, iter_designs, make_design, plan_design, render_views
    from patsearch.synth.families import FAMILIES, Family

_HOMES = {
    "CorpusReport": "corpus",
    "Design": "design",
    "FAMILIES": "families",
    "Family": "families",
    "iter_designs": "design",
    "make_design": "design",
    "plan_design": "design",
    "rebuild": "corpus",
    "render_views": "design",
    "write_corpus": "corpus",
}

__all__ = [
    "FAMILIES",
    "CorpusReport",
    "Design",
    "Family",
    "iter_designs",
    "make_design",
    "plan_design",
    "rebuild",
    "render_views",
    "write_corpus",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
