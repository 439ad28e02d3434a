"""Search records: as JSON, CSV and a page that can be filed."""

from patsearch.record.page import render_page
from patsearch.record.record import Picture, SearchOptions, SearchRecord, search

__all__ = ["Picture", "SearchOptions", "SearchRecord", "render_page", "search"]
