"""The cluster, seen through its API server: objects read, watched and patched; who leads; what is told of an object."""
