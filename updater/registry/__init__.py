"""OCI distribution v2 as a reader sees it: tag lists, digests, descriptions; asked once, proved by digest."""
