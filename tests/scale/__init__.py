"""Many bots at once: what the gateway does when it hears a thousand of them."""
