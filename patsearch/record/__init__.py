"""Search records: as JSON, CSV and a page that can be filed; saved searches that are asked again."""

from patsearch.record.page import render_page
from patsearch.record.record import Picture, SearchOptions, SearchRecord, search
from patsearch.record.saved import News, SavedSearch

__all__ = ["News", "Picture", "SavedSearch", "SearchOptions", "SearchRecord", "render_page", "search"]
