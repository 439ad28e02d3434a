"""Drawings as they come on sheets: opening them, cutting them into figures."""

from __future__ import annotations

from patsearch.drawings.figure import Figure, SplitSheet
from patsearch.drawings.naming import name_figures
from patsearch.drawings.sheets import split_sheet, whole_sheet

__all__ = ["Figure", "SplitSheet", "name_figures", "split_sheet", "whole_sheet"]
