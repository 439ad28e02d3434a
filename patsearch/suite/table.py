"""The table of a suite: as text, as Markdown, as JSON, and as a page with plots."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from patsearch import pages
from patsearch.evaluation.environment import measured_on
from patsearch.evaluation.plots import bars
from patsearch.files import write_text
from patsearch.suite.rows import TRAINED, Row
from patsearch.suite.run import SuiteResult
from patsearch.types import JsonDict

_NONE = "-"


def columns(result: SuiteResult) -> list[str]:
    """Headings of the table."""
    return [
        "row",
        "held-out designs",
        "held-out families",
        "sketches",
        *result.score_names,
        "published on DeepPatent",
        "parameters",
        "dim",
        "drawings / CPU s",
        "peak memory",
        "drawings seen",
        "CPU s",
        "begun from",
    ]


def cells(result: SuiteResult) -> list[list[str]]:
    """The table, a list of texts per row: mAP, and for sketches the share that find their design first."""
    return [_cells(row, figures, result.score_names) for row, figures in result.rows]


def _cells(row: Row, figures: JsonDict, score_names: Sequence[str]) -> list[str]:
    published = _NONE if row.published is None else f"{row.published:.3f} ({row.published_as})"
    if "failed" in figures:
        return [row.name, "failed", *[_NONE] * (2 + len(score_names)), published, *[_NONE] * 7]
    held = figures["held"]
    trained = row.kind == TRAINED
    return [
        row.name,
        _share(held["designs"]["map"]),
        _share(held["families"]["map"]),
        _share(held["designs"]["sketch_hit@1"]),
        *(_share(figures["scores"].get(name, {}).get("map")) for name in score_names),
        published,
        f"{figures['parameters'] / 1e6:.1f} M" if figures["parameters"] else "0",
        f"{figures['dim']:,}",
        f"{figures['drawings_per_cpu_second']:,.0f}",
        "not measured" if figures["peak_bytes"] is None else f"{figures['peak_bytes'] / 1e9:.1f} GB",
        f"{figures['samples']:,}" if trained else _NONE,
        f"{figures['cpu_seconds']:,.0f}" if trained else _NONE,
        {"imagenet": "ImageNet", "random": "random weights", "": "not trained"}.get(
            figures["start"], str(figures["start"])
        ),
    ]


def facts(result: SuiteResult) -> list[tuple[str, str]]:
    """What is written above the table."""
    corpus, options = result.corpus, result.options
    held = corpus["held_out_families"]
    facts = [
        (
            "Corpus",
            f"{corpus['name']}: {corpus['designs']:,} designs, {corpus['drawings']:,} drawings, {corpus['families']} "
            f"families; trained on {corpus['trained_designs']:,} designs (fingerprint {corpus['fingerprint']})",
        ),
        (
            "Held out",
            f"{corpus['held_out_designs']:,} designs of the families trained on, by a hash of their names; "
            f"{corpus['held_out_family_designs']:,} designs of {len(held)} families that no row has seen"
            + (f" ({', '.join(held)})" if held else ""),
        ),
        ("Budget", f"{options.cpu_seconds:g} CPU seconds of training per row, drawings at {options.size} px"),
        ("All trained rows", "; ".join(result.common)),
    ]
    facts += [("Set by the user", "; ".join(options.changes))] if options.changes else []
    own = [f"{row.name}: {', '.join(row.changes)}" for row, _ in result.rows if row.changes]
    facts += [("Single rows", "; ".join(own))] if own else []
    for test in options.scores:
        of = next((f["scores"][test.name] for _, f in result.rows if test.name in f["scores"]), None)
        if of is not None:
            text = f"{of['judged_queries']:,} queries, gallery of {of['gallery']:,}, of which {of['distractors']:,}"
            facts.append((test.name, f"{of['name']}: {text} distractors; {of['protocol']}; never trained on"))
    facts += [(f"{row.name} failed", str(f["failed"])) for row, f in result.rows if "failed" in f]
    return [*facts, measured_on(result.environment)]


def to_markdown(result: SuiteResult) -> str:
    """The facts and the table."""
    lines = [f"- **{name}**: {text}" for name, text in facts(result)]
    head = columns(result)
    rows = [head, ["---", *["---:"] * (len(head) - 1)], *cells(result)]
    return "\n".join([*lines, "", *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def to_html(result: SuiteResult) -> str:
    """The table, and the same as bar charts."""
    shown = {row.name: figures for row, figures in result.rows if "failed" not in figures}
    held = {
        name: _numbers(
            {
                "held-out designs": figures["held"]["designs"]["map"],
                "held-out families": figures["held"]["families"]["map"],
                **{test: figures["scores"].get(test, {}).get("map") for test in result.score_names},
            }
        )
        for name, figures in shown.items()
    }
    published = {
        row.name: _numbers({"held-out designs": f["held"]["designs"]["map"], "published": row.published})
        for row, f in result.rows
        if row.published is not None and "failed" not in f
    }
    rates = {name: {"drawings / CPU s": float(f["drawings_per_cpu_second"])} for name, f in shown.items()}
    most = max((rate for values in rates.values() for rate in values.values()), default=1.0)
    plots = [
        bars("Mean average precision", held),
        bars("Here, and as published on DeepPatent after full training", published),
        bars("Drawings encoded per second of CPU time", rates, most=most),
    ]
    return pages.render(
        "suite.html",
        title=f"Suite {result.options.suite}: {result.corpus['name']}",
        details=facts(result),
        columns=columns(result),
        rows=cells(result),
        plots=plots,
        settings=json.dumps(result.to_json(), indent=2),
    )


def save(result: SuiteResult, folder: Path) -> list[Path]:
    """Write `table.md`, `table.json` and `table.html`; their paths."""
    texts = {
        "table.md": to_markdown(result),
        "table.json": json.dumps(result.to_json(), indent=2) + "\n",
        "table.html": to_html(result),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    return {name: math.nan if value is None else float(value) for name, value in values.items()}


def _share(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3f}"
