"""A plate as one HTML file that needs nothing else."""

from __future__ import annotations

from patsearch import pages
from patsearch.plate.plate import Plate


def render_page(plate: Plate) -> str:
    """The plate as HTML; every value is escaped."""
    title = ", ".join(column.name for column in plate.columns)
    return pages.render("plate.html", title=f"Plate: {title}", plate=plate)
