"""The Qdrant backend: a server, or Qdrant in this process (Qdrant Edge).

payload.py      Drawing <-> point: ids, payload fields, which of them are indexed
clauses.py      Filter -> conditions on payload fields, independent of Qdrant's packages
address.py      what a location means: a folder, or a server with collection and options
points.py       the interface that the two below share
edge.py         ... Qdrant in this process (qdrant-edge-py)
remote.py       ... a server, by qdrant-client
connection.py   one call to a server or to one of several: retries, back-off
wire.py         searches and reads, which have to be quick, without qdrant-client
troubles.py     what goes wrong there, as patsearch's own errors
limits.py       what a collection's strict mode allows at once
collections.py  collections on a server: names by encoder and version, the alias, the metadata
backend.py      QdrantBackend, over either of them

Nothing of Qdrant is imported before an index is opened.
"""
