"""The shell around the pure rooms: drives machines on asyncio, supervises tasks, watches this process, logs."""
