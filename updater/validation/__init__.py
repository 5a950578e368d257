"""What `updater validate` checks: files and annotations, without asking any server."""
