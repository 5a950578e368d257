  image   = "ghcr.io/org/app:1.2.3"  # {"$imagepolicy": "ns:app"}
  version = "1.2.3" // {"$imagepolicy": "ns:app:tag"}
