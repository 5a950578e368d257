"""What all sources ask for at this moment: merged, with canonical names, indexed by image and destination."""
