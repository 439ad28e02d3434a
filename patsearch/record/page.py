"""A search record as one HTML file that needs nothing else: pictures inside, no script, no request."""

from __future__ import annotations

from base64 import b64encode
from html import escape

from patsearch.engine import Thumbnails
from patsearch.record.describe import caption, class_codes, class_titles, dates, details, mark, marked_first
from patsearch.record.record import SearchRecord
from patsearch.titles import link_of
from patsearch.types import Drawing, PatentHit

_DRAWINGS_SHOWN = 7  # the best one large, the next ones small

# The policy forbids scripts, requests and frames even if a hostile title found a way through.
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head><body>
"""
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 76rem; padding: 1.2rem; }
h1 { font-size: 1.3rem; margin: 0 0 .8rem } h2 { font-size: 1.05rem; margin: 1.6rem 0 .6rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0 }
dt { opacity: .65 } dd { margin: 0; overflow-wrap: anywhere }
img { background: #fff; border-radius: 4px; object-fit: contain }
.pictures { display: flex; flex-wrap: wrap; gap: .8rem; margin: 0 0 1rem } figure { margin: 0 }
.pictures img { height: 190px; max-width: 100%; padding: 8px; border: 1px solid var(--line) }
figcaption { font-size: .82rem; opacity: .75; max-width: 22rem; overflow-wrap: anywhere }
ol { list-style: none; margin: 0; padding: 0; display: grid; gap: .9rem;
  grid-template-columns: repeat(auto-fill, minmax(15.5rem, 1fr)) }
li { border: 1px solid var(--line); border-radius: 8px; padding: .7rem; break-inside: avoid }
li > img { width: 100%; height: 210px; box-sizing: border-box; padding: 6px }
.others { display: flex; flex-wrap: wrap; gap: 4px; margin: .35rem 0 }
.others img { width: 46px; height: 46px; padding: 2px }
.head { display: flex; justify-content: space-between; gap: .5rem; margin-top: .35rem; font-weight: 600 }
.score { font-variant-numeric: tabular-nums; opacity: .8 } p { margin: .1rem 0; font-size: .9rem }
.mark { font-weight: 600; font-size: .8rem }
.small { font-size: .8rem; opacity: .75 } .none { background: var(--soft); padding: 1rem; border-radius: 8px }
@media print { body { max-width: none; padding: 0 } li > img { height: 160px } }
"""


def render_page(record: SearchRecord, thumbnails: Thumbnails) -> str:
    """The record as HTML; every value that came from a file or a user is escaped.

    Args:
        thumbnails: of the index that was searched.
    """
    title = f"Patent drawing search of {record.asked}"
    parts = [_HEAD.format(title=escape(title), style=_STYLE), "<h1>Patent drawing search</h1>", _query(record)]
    unit = "drawings" if record.options.drawings else "patents"
    parts.append(f"<h2>{len(record.hits)} {unit} found, most alike first</h2>")
    if record.hits:
        shown = (_hit(hit, mark(hit, record.options), thumbnails) for hit in marked_first(record))
        parts.append("<ol>" + "".join(shown) + "</ol>")
    else:
        parts.append('<p class="none">Nothing found. Loosen the filter or the least score.</p>')
    parts.append("</body></html>\n")
    return "\n".join(parts)


def _query(record: SearchRecord) -> str:
    pictures = "".join(
        f'<figure><img src="{_data(p.png)}" alt="Query picture {escape(p.name)}">'
        f"<figcaption>{escape(p.name)}</figcaption></figure>"
        for p in record.pictures
    )
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in details(record))
    return f'<div class="pictures">{pictures}</div><dl>{listed}</dl>'


def _hit(hit: PatentHit, marked: str, thumbnails: Thumbnails) -> str:
    best, *others = hit.drawings[:_DRAWINGS_SHOWN]
    small = "".join(_image(h.drawing, thumbnails) for h in others)
    return (
        f"<li>{_image(best.drawing, thumbnails)}"
        f'<div class="head"><span>{hit.rank}. {_number(hit.patent)}</span>'
        f'<span class="score">{hit.score:.3f}</span></div>'
        + (f'<p class="mark">Marked as {marked}</p>' if marked else "")
        + f"<p>{escape(hit.title)}</p>"
        f'<p class="small">{escape(caption(best.drawing))}</p>'
        f'<p class="small">{escape(dates(best.drawing))}</p>'
        f'<p class="small" title="{escape(class_titles(best.drawing))}">{escape(class_codes(best.drawing))}</p>'
        + (f'<div class="others">{small}</div>' if small else "")
        + "</li>"
    )


def _number(patent: str) -> str:
    link = link_of(patent)
    return f'<a href="{escape(link)}" rel="noreferrer">{escape(patent)}</a>' if link else escape(patent)


def _image(drawing: Drawing, thumbnails: Thumbnails) -> str:
    png = thumbnails.get(drawing.id)
    text = escape(f"{drawing.patent}, {caption(drawing)}")
    return f'<img src="{_data(png)}" alt="{text}" title="{text}">' if png else f"<span>{text}</span>"


def _data(png: bytes) -> str:
    return f"data:image/png;base64,{b64encode(png).decode('ascii')}"
