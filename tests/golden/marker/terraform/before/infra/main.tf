  image   = "ghcr.io/org/app:1.0.0"  # {"$imagepolicy": "ns:app"}
  version = "1.0.0" // {"$imagepolicy": "ns:app:tag"}
