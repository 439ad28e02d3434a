"""Plates: the claimed or accused design, a patent and an earlier design next to each other, view by view."""

from patsearch.plate.page import render_page
from patsearch.plate.pdf import render_image, render_pdf, render_png
from patsearch.plate.plate import Cell, Column, Plate, Row, make_plate, plate_of
from patsearch.plate.views import Pair, View, pairs_of, views_of_files, views_of_patent

__all__ = [
    "Cell",
    "Column",
    "Pair",
    "Plate",
    "Row",
    "View",
    "make_plate",
    "pairs_of",
    "plate_of",
    "render_image",
    "render_page",
    "render_pdf",
    "render_png",
    "views_of_files",
    "views_of_patent",
]
