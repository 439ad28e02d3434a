"""3D models: reading their files, and drawing them as a design patent shows its object.

Needs the extra `models` (numba, trimesh). Nothing heavy is imported before a function needs it.
"""
