"""A benchmark as one HTML file that needs nothing else: tables, plots, and the worst queries in pictures."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

from patsearch.evaluation.backends import BackendFigures
from patsearch.evaluation.plots import curves, histogram
from patsearch.evaluation.quality import Place
from patsearch.evaluation.results import BenchResult, Evaluation, Pictured
from patsearch.types import Drawing

# The policy forbids scripts, requests and frames even if a hostile title found a way through.
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head><body>
"""
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --good: #2c8a4b; --bad: #c0392b }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 78rem; padding: 1.2rem }
h1 { font-size: 1.35rem; margin: 0 0 .6rem } h2 { font-size: 1.1rem; margin: 2rem 0 .6rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } .wide { overflow-x: auto }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 11rem } tr.asked { font-weight: 600 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0 }
dt { opacity: .65 } dd { margin: 0; overflow-wrap: anywhere } ul { margin: .3rem 0; padding-left: 1.2rem }
.plots { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)) }
figure { margin: 0 } .plot { border: 1px solid var(--line); border-radius: 8px; padding: .6rem }
.plot figcaption { font-weight: 600; font-size: .92rem } svg text { font-size: 11px; fill: currentColor; opacity: .8 }
.grid { stroke: var(--line) } .axis { stroke: currentColor; opacity: .6 }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .8rem }
.legend i { display: inline-block; width: .9em; height: .9em; border-radius: 2px; margin-right: .35em }
.query { display: grid; grid-template-columns: 13rem 1fr; gap: 1rem; border: 1px solid var(--line);
  border-radius: 8px; padding: .8rem; margin: 0 0 1rem; break-inside: avoid }
.query > div > p { margin: 0 0 .2rem; font-size: .85rem; opacity: .8 }
.strip { display: flex; flex-wrap: wrap; gap: .5rem; margin: 0 0 .6rem }
.strip figure { width: 7.2rem; font-size: .72rem; line-height: 1.3; overflow-wrap: anywhere }
img, .blank { background: #fff; width: 100%; height: 7rem; object-fit: contain; box-sizing: border-box;
  padding: 4px; border: 1px solid var(--line); border-radius: 4px; display: block }
.blank { color: #666; display: grid; place-items: center } .asking img, .asking .blank { height: 11rem }
.good img, .good .blank { border: 2px solid var(--good) } .bad img, .bad .blank { border: 2px solid var(--bad) }
details { margin: 1rem 0 } pre { overflow-x: auto; background: var(--soft); padding: .8rem; border-radius: 8px }
@media (max-width: 40rem) { .query { grid-template-columns: 1fr } }
"""


def document(title: str, parts: Iterable[str]) -> str:
    """A whole page with nothing from outside; the parts are HTML already."""
    return "\n".join([_HEAD.format(title=escape(title), style=_STYLE), *parts, "</body></html>\n"])


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, asked: int | None = None) -> str:
    """A table of text; row number `asked` stands out."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr{' class=asked' if number == asked else ''}>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
        for number, row in enumerate(rows)
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def render_page(result: BenchResult) -> str:
    """The result as HTML; every value that came from a file or a user is escaped."""
    first = result.evaluations[0]
    title = f"Retrieval benchmark: {first.dataset['name']}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _facts(result),
        "<h2>Quality</h2>",
        _quality(result.evaluations, result.options.top_k),
        _plots(result.evaluations),
        _engines(result.backends),
    ]
    for evaluation in result.evaluations:
        parts.append(_worst(evaluation))
        if evaluation is first and len(result.evaluations) > 1:
            parts.append("<details><summary>The worst queries of the other evaluations</summary>")
    if len(result.evaluations) > 1:
        parts.append("</details>")
    settings = json.dumps({"settings": result.options.to_json(), "environment": result.environment}, indent=2)
    parts.append(f"<details><summary>Settings and environment</summary><pre>{escape(settings)}</pre></details>")
    return document(title, parts)


def label(evaluation: Evaluation) -> str:
    """What an evaluation is called in tables and legends."""
    return ", ".join([str(evaluation.encoder["name"]), str(evaluation.protocol), *evaluation.asking.parts()])


def metric_columns(top_k: Sequence[int]) -> list[str]:
    """The metrics worth a column: those at k of at most 10 places, where they are measured."""
    few = [k for k in top_k if k <= 10] or list(top_k[:1])
    last = few[-1]
    hits = [f"hit_rate@{k}" for k in few]
    return ["map", "map_ties", "map_by_patent", f"map@{last}", *hits, f"recall@{last}", "mrr", f"ndcg@{last}"]


def _facts(result: BenchResult) -> str:
    first = result.evaluations[0]
    data, encoder, machine = first.dataset, first.encoder, result.environment
    trained = " (untrained baseline)" if encoder["baseline"] else ""
    rows = [
        (
            "Queries",
            f"{data['judged_queries']:,} with something to find, of {data['queries']:,}; {data['patents']:,} patents",
        ),
        ("Gallery", f"{data['gallery']:,} drawings, of which {data['distractors']:,} distractors"),
        ("Protocol", data["protocol"]["text"]),
        ("Filter", data["filter"] or "none"),
        ("Asking", str(first.asking)),
        ("Encoder", f"{encoder['name']}{trained}, {encoder['dim']} dimensions, sha256 {encoder['sha256']}"),
        (
            "Measured",
            f"{machine['at']}, patsearch {machine['patsearch']}, {machine['cpu']}, {machine['usable_cores']} cores",
        ),
        ("Fingerprint", f"{data['fingerprint']} (of queries, gallery and judgements)"),
    ]
    notes = "".join(f"<li>{escape(str(note))}</li>" for note in data["notes"])
    return _details(rows) + (f"<ul>{notes}</ul>" if notes else "")


def _details(rows: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(n)}</dt><dd>{escape(v)}</dd>" for n, v in rows) + "</dl>"


def _quality(evaluations: Sequence[Evaluation], top_k: Sequence[int]) -> str:
    columns = metric_columns(top_k)
    rows = []
    for number, evaluation in enumerate(evaluations):
        cells = "".join(f"<td>{_number(evaluation.quality.metrics[c])}</td>" for c in columns)
        name = label(evaluation) + (" (baseline)" if evaluation.baseline else "")
        size = f"<td>{evaluation.dataset['judged_queries']:,}</td><td>{evaluation.dataset['gallery']:,}</td>"
        rows.append(f"<tr{' class=asked' if number == 0 else ''}><td>{escape(name)}</td>{size}{cells}</tr>")
    head = "".join(f"<th>{escape(c)}</th>" for c in ("evaluation", "queries", "gallery", *columns))
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _plots(evaluations: Sequence[Evaluation]) -> str:
    named = {label(e): e.quality for e in evaluations}
    plots = [
        curves("recall@k: relevant drawings found", {n: q.curves["recall"] for n, q in named.items()}),
        curves("hit_rate@k: queries with a relevant drawing", {n: q.curves["hit_rate"] for n, q in named.items()}),
        histogram(
            "Average precision of the queries",
            {n: [r.average_precision for r in q.records] for n, q in named.items()},
            x_label="average precision",
        ),
    ]
    return f'<h2>Curves</h2><div class="plots">{"".join(plots)}</div>'


def _engines(engines: Sequence[BackendFigures]) -> str:
    if not engines:
        return ""
    ks = list(engines[0].series[0].ann_recall)
    columns = [
        "backend, filter",
        "matches",
        *(f"ann_recall@{k}" for k in ks),
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "searches/s",
    ]
    rows, told = [], []
    for engine in engines:
        stored = (
            "" if engine.upserts_per_second is None else f", {engine.upserts_per_second:,.0f} drawings stored a second"
        )
        size = f"{engine.vectors:,} drawings, {engine.bytes_per_vector:,.0f} bytes on disk each"
        precision = f"mAP@{engine.depth} {_number(engine.map)}, by exact answers {_number(engine.exact_map)}"
        rates = ", ".join(f"{rate:,.0f} from {n}" for n, rate in engine.per_second_by_clients.items())
        at_once = f"; searches a second by clients: {rates}" if rates else ""
        told.append(f"{engine.backend}: {engine.engine}; {size}{stored}; {precision}{at_once}")
        for series in engine.series:
            name = f"{engine.backend}, {series.filter or 'no filter'}"
            values = [f"{series.matches:,}", *(_number(series.ann_recall[k]) for k in ks)]
            values += [_number(v) for v in (series.p50_ms, series.p95_ms, series.p99_ms)] + [
                f"{series.per_second:,.0f}"
            ]
            rows.append(f"<tr><td>{escape(name)}</td>{''.join(f'<td>{escape(v)}</td>' for v in values)}</tr>")
    head = "".join(f"<th>{escape(c)}</th>" for c in columns)
    notes = "".join(f"<li>{escape(t)}</li>" for t in told)
    return f'<h2>Engines</h2><ul>{notes}</ul><div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _worst(evaluation: Evaluation) -> str:
    if not evaluation.worst:
        return ""
    heading = f"<h2>The worst queries: {escape(label(evaluation))}</h2>"
    text = "<p>One a patent. Green: what should have been found, with its rank. Red: what stands there instead.</p>"
    return heading + text + "".join(_query(pictured) for pictured in evaluation.worst)


def _query(pictured: Pictured) -> str:
    record = pictured.record
    drawing = pictured.drawings[record.id]
    wanted = "".join(_picture(pictured, p, "good") for p in pictured.expected)
    more = record.ranks.relevant - len(pictured.expected)
    instead = "".join(_picture(pictured, p, "good" if p.relevant else "bad") for p in pictured.top)
    return (
        f'<div class="query"><div class="strip asking"><figure style="width:100%">{_image(pictured, record.id)}'
        f"<figcaption>{_about(drawing)}<br>average precision {_number(record.average_precision)}</figcaption>"
        "</figure></div>"
        f"<div><p>Should have been found{f' (and {more} more)' if more > 0 else ''}</p>"
        f'<div class="strip">{wanted}</div>'
        f'<p>Found first</p><div class="strip">{instead}</div></div></div>'
    )


def _picture(pictured: Pictured, place: Place, kind: str) -> str:
    drawing = pictured.drawings[place.id]
    caption = f"<b>rank {place.rank:,}</b>, {place.score:.3f}<br>{_about(drawing)}"
    return f'<figure class="{kind}">{_image(pictured, place.id)}<figcaption>{caption}</figcaption></figure>'


def _image(pictured: Pictured, drawing_id: str) -> str:
    text = escape(drawing_id)
    png = pictured.thumbnails.get(drawing_id)
    if png is None:
        return f'<span class="blank">{text}</span>'
    data = b64encode(png).decode("ascii")
    return f'<img src="data:image/png;base64,{data}" alt="{text}" title="{text}" loading="lazy">'


def _about(drawing: Drawing) -> str:
    return escape(f"{drawing.patent}, {_caption(drawing)}") + (f"<br>{escape(drawing.title)}" if drawing.title else "")


def _caption(drawing: Drawing) -> str:
    return f"FIG. {drawing.figure}" if drawing.figure else drawing.sheet or drawing.id


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
