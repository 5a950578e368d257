"""What is nice to have after a restart; deletable at any moment."""
