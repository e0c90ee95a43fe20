"""Servers: the MCP and HTTP doors; they only translate."""
