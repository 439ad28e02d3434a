"""What only made the shipped encoder: its ONNX graph, whitening, windows, and relief for the shapes it learned from.

The tools import it; nothing in `patsearch` does.
"""
