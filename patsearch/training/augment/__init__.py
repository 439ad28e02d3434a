"""Changes to drawings in training: other styles, scans, hatching and free-hand copies."""
