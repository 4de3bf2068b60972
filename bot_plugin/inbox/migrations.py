"""The inbox's tables: one list of statements for each version of the schema. A released step never changes."""

from __future__ import annotations

from bot_plugin.database import Kind

MIGRATIONS = (
    (
        """
        CREATE TABLE signals (
            id TEXT PRIMARY KEY,
            topic TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            payload BLOB,
            received_at INTEGER NOT NULL,
            forget_at INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE runs (
            signal TEXT NOT NULL,
            handler TEXT NOT NULL,
            step TEXT NOT NULL,
            started_at INTEGER,
            receipt TEXT,
            owed INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (signal, handler)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE TABLE topics (topic TEXT PRIMARY KEY, sequence INTEGER NOT NULL, at INTEGER NOT NULL) STRICT",
    ),
    (
        "ALTER TABLE signals ADD COLUMN kept_until INTEGER NOT NULL DEFAULT 0",  # by the clock below
        "UPDATE signals SET kept_until = forget_at - received_at",
        "CREATE INDEX signals_by_end ON signals (kept_until)",
        "CREATE INDEX signals_unfinished ON signals (sequence) WHERE payload IS NOT NULL",
        "CREATE INDEX runs_owed ON runs (signal, handler) WHERE owed",
        "CREATE TABLE clock (micros INTEGER NOT NULL) STRICT",  # that ran while some process had the inbox open
        "INSERT INTO clock VALUES (0)",
        "UPDATE topics SET at = 0",
        """
        INSERT INTO topics SELECT topic, max(sequence), max(kept_until) FROM signals
        WHERE sequence > 0 AND EXISTS (SELECT 1 FROM runs WHERE signal = id AND step <> 'seen') GROUP BY topic
        ON CONFLICT DO UPDATE SET sequence = max(sequence, excluded.sequence), at = max(at, excluded.at)
        """,
    ),
    (
        """
        CREATE TABLE orders (
            signal TEXT NOT NULL,
            handler TEXT NOT NULL,
            ids TEXT NOT NULL,
            filled TEXT,
            owed INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (signal, handler)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX orders_owed ON orders (signal, handler) WHERE owed",
    ),
    (
        """
        CREATE TABLE predictions (
            topic TEXT NOT NULL,
            series TEXT NOT NULL,
            signal TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            received_at INTEGER NOT NULL,
            forget_at INTEGER NOT NULL,
            kept_until INTEGER NOT NULL,
            ended TEXT,
            payload BLOB NOT NULL,
            PRIMARY KEY (topic, series)
        ) STRICT
        """,
        "CREATE INDEX predictions_by_end ON predictions (kept_until)",
        "CREATE INDEX predictions_by_signal ON predictions (signal)",
    ),
)
"""Each step brings the schema from the version before to its own. A run without a handler (``''``) is the signal's."""

KIND = Kind(
    name="inbox",
    application_id=0x5347_4931,  # SGI1
    migrations=MIGRATIONS,
    forgets="the bot forgets then what it ran, so stop the sources until what is on its way has expired",
)
