"""The contract: topics, envelopes and bodies. Pure: no clock, no socket, no logging, no client library."""
