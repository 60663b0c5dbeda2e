"""The suite; a package, so that its modules can share helpers as `tests.<name>`."""
