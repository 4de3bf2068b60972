"""The gateway: signals in over HTTP, on disk before the answer, out over MQTT, receipts back."""
