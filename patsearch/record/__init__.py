"""Search records: as JSON, CSV, a page and a PDF that can be filed; saved searches that are asked again."""

from patsearch.record.page import render_page
from patsearch.record.pdf import render_pdf
from patsearch.record.record import Picture, SearchOptions, SearchRecord, combine, search
from patsearch.record.saved import News, SavedSearch

__all__ = [
    "News",
    "Picture",
    "SavedSearch",
    "SearchOptions",
    "SearchRecord",
    "combine",
    "render_page",
    "render_pdf",
    "search",
]
