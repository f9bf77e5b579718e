"""Makes the physics harness a plugin of every pytest run in this checkout."""

pytest_plugins = ["harness.plugin", "pytester"]
