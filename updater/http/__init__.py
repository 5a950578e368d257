"""The only HTTP client of the project: paced by host, with limits for size, time and attempts."""
