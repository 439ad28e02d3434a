"""Search records: as JSON, as a page and as a PDF that can be filed; saved searches that find what is new."""

from patsearch.record.collection import Collection
from patsearch.record.cover import Cover
from patsearch.record.page import render_page
from patsearch.record.pdf import render_pdf
from patsearch.record.record import SearchRecord
from patsearch.record.saved import News, SavedSearch

__all__ = ["Collection", "Cover", "News", "SavedSearch", "SearchRecord", "render_page", "render_pdf"]
