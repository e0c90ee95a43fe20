"""Desk: four tables as desks keep them in PostgreSQL, fed by our store, and their questions, asked of either."""

from orderflow.store.desk.follower import STREAMS, Follower, Following
from orderflow.store.desk.postgres import PostgresDesk, shown
from orderflow.store.desk.questions import MOST_HOURS, MOST_ROWS, QUESTIONS, Filters
from orderflow.store.desk.results import Answer
from orderflow.store.desk.stored import StoredDesk

__all__ = [
    "MOST_HOURS",
    "MOST_ROWS",
    "QUESTIONS",
    "STREAMS",
    "Answer",
    "Filters",
    "Follower",
    "Following",
    "PostgresDesk",
    "StoredDesk",
    "shown",
]
