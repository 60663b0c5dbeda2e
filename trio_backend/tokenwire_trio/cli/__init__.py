"""The `tokenwire` command, in the extra `cli`.

`app` holds the commands together; each command is a file (`ask`, `decode`, `encode`), and so is
each thing they share. Nothing here imports trio until a command needs the network, so that `--help`
and `decode` start at once.
"""
