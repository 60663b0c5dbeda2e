"""What an error could give away."""

import traceback


def everything_in(error: BaseException) -> str:
    """Return all that a log or an error tracker could find in an error and its chain."""
    texts = traceback.format_exception(error)
    seen: set[int] = set()
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        texts += [str(link), repr(link), repr(link.args), repr(getattr(link, "__dict__", None))]
        # Also where `from None` hides it from tracebacks.
        links += [link.__cause__, link.__context__]
    return "\n".join(texts)
