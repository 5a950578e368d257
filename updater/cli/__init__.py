"""The command line: one file a subcommand, each importing what it needs when it runs."""
