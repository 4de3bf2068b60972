"""An exchange of this machine's own, as a connector of Hummingbot: without network, at the prices that a test sets."""
