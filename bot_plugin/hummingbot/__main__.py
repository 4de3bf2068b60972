"""``python -m bot_plugin.hummingbot`` is ``signal-gateway-hummingbot``."""

from __future__ import annotations

from bot_plugin.hummingbot.launch import main

if __name__ == "__main__":
    main()
