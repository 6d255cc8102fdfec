"""`python -m teachonce`: the command line."""

from teachonce.cli import main

if __name__ == "__main__":
    main()
