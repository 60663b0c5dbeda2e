"""What the operating system refuses to do, in words."""


def told(error: OSError) -> str:
    """Say which file it is about and why, without the number that Python puts before it."""
    if error.filename is None or error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}"
