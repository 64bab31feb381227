"""What another package adds to zcbench; tests/test_plugin_package.py installs it."""
