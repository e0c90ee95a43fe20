"""Flow: order-flow analytics. Pure functions over columns: no clock, no socket, no SQL."""
