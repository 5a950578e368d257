"""Read OCI distribution v2 registries: tag lists, digests, descriptions; requested once, verified by digest."""
