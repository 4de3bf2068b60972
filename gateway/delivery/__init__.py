"""Route, publish, settle: from the journal's outbox to the broker's acknowledgement."""
