"""Store: tables, writes, reads. The only room that speaks SQL or DuckDB."""
