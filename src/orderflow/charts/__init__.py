"""Charts: pictures of what the analysis found, as PNG. The only room that knows matplotlib."""
