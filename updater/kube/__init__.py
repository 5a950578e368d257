"""The Kubernetes API: objects are read, watched and patched; leader election; Events."""
