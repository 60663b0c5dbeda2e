"""What a person at the command line can do about an error."""

from tokenwire.errors import AuthError, NetworkError, ProviderError, RateLimitError


def with_advice(error: ProviderError, key_variable: str | None) -> str:
    """Return the error in one line that says what to do.

    Args:
        error: What went wrong.
        key_variable: Name of the environment variable with the key, None where none was named.
    """
    match error:
        case AuthError() if key_variable is None:
            advice = "name the variable that holds your key with --key-env"
        case AuthError():
            advice = f"the key came from the variable {key_variable}"
        case NetworkError(phase="tls", timeout=None):
            advice = "--ca-file FILE trusts a certificate authority of your own"
        case NetworkError(timeout="total"):
            advice = "--timeout sets the limit"
        case RateLimitError(scope="quota"):
            advice = "check the account's credit and limits"
        case RateLimitError(retry_after=float(seconds)):
            advice = f"try again in {seconds:g} s"
        case _:
            return str(error)
    return f"{error} ({advice})"
