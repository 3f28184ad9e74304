"""`python -m genjax` is `genjax`."""

from genjax.cli.main import console

if __name__ == "__main__":
    console()
