"""The journal's tables: one list of statements for each version of the schema. A released step never changes."""

from __future__ import annotations

_FIRST = (
    """
    CREATE TABLE signals (
        position INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        source TEXT NOT NULL,
        body TEXT NOT NULL,
        mode TEXT NOT NULL,
        instrument TEXT NOT NULL,
        effect TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        accepted_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        fingerprint BLOB,  -- NULL where an idempotency key is the identity
        possible_duplicate_of TEXT,
        head BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX signals_by_age ON signals (accepted_at, expires_at)",
    "CREATE INDEX signals_by_source ON signals (source, accepted_at)",
    """
    CREATE TABLE outbox (
        position INTEGER NOT NULL REFERENCES signals ON DELETE CASCADE,
        destination TEXT NOT NULL,
        lane INTEGER NOT NULL,
        source TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        weight INTEGER NOT NULL,
        once INTEGER NOT NULL,
        station TEXT NOT NULL DEFAULT 'waiting',
        at INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        previous INTEGER,
        topic TEXT NOT NULL,
        reason TEXT NOT NULL DEFAULT '',
        payload BLOB,  -- NULL for the envelope itself
        PRIMARY KEY (position, destination)
    ) WITHOUT ROWID, STRICT
    """,
    "CREATE INDEX outbox_unfinished ON outbox (lane, position) WHERE station IN ('waiting', 'publishing')",
    """
    CREATE TABLE receipts (
        number INTEGER PRIMARY KEY,  -- the order of arrival
        position INTEGER NOT NULL REFERENCES signals ON DELETE CASCADE,
        bot TEXT NOT NULL,
        handler TEXT NOT NULL,  -- '' for what concerns the bot as a whole
        stage TEXT NOT NULL,
        stored_at INTEGER NOT NULL,
        at INTEGER NOT NULL,
        received_at INTEGER,
        started_at INTEGER,
        duration_ms REAL,
        reason TEXT,
        order_ids TEXT,
        UNIQUE (position, bot, handler, stage)
    ) STRICT
    """,
    """
    CREATE TABLE partitions (
        key TEXT PRIMARY KEY,  -- '' for all that are forgotten
        sequence INTEGER NOT NULL,  -- the last number, or the highest of those forgotten
        accepted_at INTEGER NOT NULL
    ) WITHOUT ROWID, STRICT
    """,
    """
    CREATE TABLE lanes (
        lane INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        destination TEXT NOT NULL,
        put INTEGER,
        UNIQUE (key, destination)
    ) STRICT
    """,
    """
    CREATE TABLE idempotency_keys (
        source TEXT NOT NULL,
        key TEXT NOT NULL,
        id TEXT NOT NULL,
        at INTEGER NOT NULL,
        fingerprint BLOB NOT NULL,
        PRIMARY KEY (source, key)
    ) WITHOUT ROWID, STRICT
    """,
    "CREATE INDEX idempotency_keys_by_age ON idempotency_keys (at)",
    """
    CREATE TABLE refusals (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        source TEXT NOT NULL,
        at INTEGER NOT NULL,
        code TEXT NOT NULL,
        size INTEGER NOT NULL,
        faults TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX refusals_by_age ON refusals (at)",
    "CREATE INDEX refusals_by_source ON refusals (source, at)",
)

_SETTLEMENT = (
    "ALTER TABLE outbox ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE outbox ADD COLUMN published_at INTEGER",
    "ALTER TABLE outbox ADD COLUMN awaiting TEXT NOT NULL DEFAULT ''",  # names of bots, a space between them
    "ALTER TABLE outbox ADD COLUMN settled INTEGER NOT NULL DEFAULT 0",
    """
    UPDATE outbox SET settled = station NOT IN ('waiting', 'publishing'),
    published_at = CASE WHEN station = 'published' THEN at END,
    expires_at = (SELECT expires_at FROM signals WHERE signals.position = outbox.position)
    """,
    "DROP INDEX outbox_unfinished",
    "CREATE INDEX outbox_unsettled ON outbox (lane, position, station) WHERE settled = 0",
    "CREATE INDEX outbox_unanswered ON outbox (expires_at) WHERE settled = 0 AND station = 'published'",
    """
    CREATE TABLE puts (
        lane INTEGER NOT NULL,
        topic TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        PRIMARY KEY (lane, topic)
    ) WITHOUT ROWID, STRICT
    """,
    """
    INSERT INTO puts (lane, topic, sequence) SELECT lane, topic, max(sequence) FROM outbox
    WHERE station = 'published' GROUP BY lane, topic
    """,
    "ALTER TABLE lanes DROP COLUMN put",
    """
    CREATE TABLE bots (
        name TEXT PRIMARY KEY,
        filters TEXT NOT NULL,  -- a JSON array
        absent_since INTEGER  -- NULL while it is online
    ) WITHOUT ROWID, STRICT
    """,
)

_COMING_AND_GOING = (
    "ALTER TABLE bots ADD COLUMN former TEXT NOT NULL DEFAULT '{}'",  # a JSON object: filters, and when each was lost
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _SETTLEMENT, _COMING_AND_GOING)
"""Step n brings a database from version n to version n + 1."""
