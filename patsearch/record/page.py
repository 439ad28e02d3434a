"""A search record as one HTML file that needs nothing else: pictures inside, no script, no request."""

from __future__ import annotations

from functools import partial

from patsearch import pages
from patsearch.engine import Thumbnails
from patsearch.record.describe import (
    caption,
    citations,
    class_codes,
    class_titles,
    cover,
    dates,
    details,
    heading,
    mark,
    owners,
    place,
    query_names,
    scores,
    term,
    title,
)
from patsearch.record.record import SearchRecord
from patsearch.titles import link_of

_DRAWINGS_SHOWN = 7  # the best one large, the next ones small


def render_page(record: SearchRecord, thumbnails: Thumbnails) -> str:
    """The record as HTML; every value that came from a file or a user is escaped.

    Args:
        thumbnails: of the index that was searched.
    """
    return pages.render(
        "search.html",
        title=f"{title(record)}, {record.asked[:10]}",
        heading_of_record=title(record),
        cover=cover(record),
        notes=record.cover.notes,
        pictures=list(zip(query_names(record), record.pictures, strict=True)),
        scores=scores(record),
        marked=record.marked,
        place=partial(place, record=record),
        details=details(record),
        heading=heading(record),
        hits=record.hits,
        shown=_DRAWINGS_SHOWN,
        mark=partial(mark, question=record.question),
        thumbnail=thumbnails.get,
        caption=caption,
        dates=dates,
        owners=owners,
        term=term,
        citations=citations,
        class_codes=class_codes,
        class_titles=class_titles,
        link_of=link_of,
    )
