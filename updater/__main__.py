"""Lets `python -m updater` be the same program as `updater`."""

from updater.cli.main import main

if __name__ == "__main__":
    main()
