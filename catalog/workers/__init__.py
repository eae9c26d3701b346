"""Programs that run inside sandboxes, with the session's environment only. Know nothing of `catalog`."""

import os

# The engine's allocator keeps what it gave back as address space of its own (jemalloc's `retain`), and the
# worker's limit counts that: after a statement that took all there was, nobody else had room any more. Read
# by the allocator when the engine is imported, so it stands here.
os.environ.setdefault("DUCKDB_JE_MALLOC_CONF", "retain:false")
