"""The only HTTP client of the project: paced by host, bounded in size, time and tries."""
