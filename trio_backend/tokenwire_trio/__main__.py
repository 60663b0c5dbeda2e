"""`tokenwire` and `python -m tokenwire_trio`."""

import sys
from typing import Final

#: 128 + SIGINT, as shells count; the table of exit codes is not there yet while we import.
_INTERRUPTED: Final = 130
_USAGE: Final = 2

#: What the extra `cli` brings.
_NEEDED: Final = frozenset({"click", "h11", "markdown_it", "rich", "trio"})


def main() -> int:
    """Run the command line.

    Returns:
        The exit code of the process.
    """
    try:
        from tokenwire_trio.cli.app import run

        return run()
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        sys.stderr.write(f'The command line needs {error.name}: pip install "tokenwire[cli]"\n')
        return _USAGE
    except KeyboardInterrupt:
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
