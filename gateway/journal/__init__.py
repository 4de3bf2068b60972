"""The commit point: every accepted signal, every refusal, every receipt, on disk before the answer."""
