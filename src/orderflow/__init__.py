"""crypto-orderflow: what crypto venues say, kept in one database and answered with its gaps known."""

__version__ = "0.1.0"
