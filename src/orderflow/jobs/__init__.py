"""Jobs: what runs for hours: joins feed and store, decides nothing."""
