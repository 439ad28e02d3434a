"""The Qdrant backend: a server, or Qdrant's own engine in this process.

payload.py      Drawing <-> point: ids, payload fields, which of them are indexed
clauses.py      Filter -> conditions on payload fields, in no engine's own words
address.py      what a location means: a folder, or a server with collection and options
points.py       the interface that the two engines below share
edge.py         ... Qdrant's engine in this process (qdrant-edge-py)
remote.py       ... a server by qdrant-client, or that package's local mode
connection.py   one call to a server: retries, back-off, errors in our words
collections.py  collections on a server: names by encoder and version, the alias, the metadata
backend.py      QdrantBackend, over either of them
snapshots.py    a collection's snapshot as a file, and back

Nothing of Qdrant is imported before an index is opened.
"""
