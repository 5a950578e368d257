"""What `updater set` does with a working tree: edit, commit, push."""
