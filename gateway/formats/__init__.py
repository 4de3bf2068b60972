"""One file per alert dialect: how it spells a trade."""
