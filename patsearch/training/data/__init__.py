"""Drawings for training: their cache, what is known of them, and the batches that are made of them."""
