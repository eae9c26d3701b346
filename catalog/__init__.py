"""Floor 1: data, never people. Datasets, ingest, versions, gateway, workers, walls."""
