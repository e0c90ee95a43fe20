"""`python -m orderflow` is `orderflow`."""

from orderflow.cli import main

if __name__ == "__main__":
    main()
