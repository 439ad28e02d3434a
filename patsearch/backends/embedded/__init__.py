"""The parts of the embedded index: files of one folder, no server.

    <folder>/manifest.json      format, spec, and which generation counts; replaced atomically
    <folder>/writer.lock        held by the one process that writes; its number is in writer.pid
    <folder>/g000001/           one generation; compaction makes the next one
        catalogue.db            SQLite (WAL): payloads, inverted lists for filters, batches, the row count
        vectors-00000.f32       the vectors as they came, little-endian float32, append-only
        columns-00000.i32       two numbers a row: which facts, which caption; append-only
        approximate.json        pointer to the derived FAISS structure, and its checksum
        approximate-*.faiss     the derived structure; may be deleted at any time

One SQLite transaction is the commit point: rows become visible by it after their bytes were flushed
to the segments. Bytes behind the last committed row are a torn tail; the next append overwrites it.
"""
