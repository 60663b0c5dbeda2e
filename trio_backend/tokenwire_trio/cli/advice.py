"""What a person at the command line can do about an error."""

from typing import Final

from tokenwire.errors import AuthError, NetworkError, OtherError, ProviderError, RateLimitError

NAME_THE_KEY: Final = "name the variable that holds your key with --key-env"

_ASK_THE_DOCTOR: Final = "'tokenwire doctor' with the same options says what to check"


def advice(error: ProviderError, key_variable: str | None) -> str | None:
    """Say what to do about an error, None where its message says all.

    Args:
        error: What went wrong.
        key_variable: Name of the environment variable with the key, None where none was named.
    """
    match error:
        case NetworkError():
            return _advice_on_network(error)
        case AuthError():
            named = f"the key came from the variable {key_variable}"
            return NAME_THE_KEY if key_variable is None else named
        case RateLimitError(scope="quota"):
            return "check the account's credit and limits"
        case RateLimitError(retry_after=float(seconds)):
            return f"try again in {seconds:g} s"
        case OtherError(kind="not_found") if "base_url" not in error.message:
            return _ASK_THE_DOCTOR
        case _:
            return None


def _advice_on_network(error: NetworkError) -> str | None:
    match error:
        case NetworkError(phase="tls") if "tls.ca_file" in error.message:
            return "--ca-file FILE trusts a certificate authority of your own"
        case NetworkError(phase="tls", timeout="connect" | "total"):
            return "what listens there may speak no TLS: should base_url begin with http://?"
        case NetworkError(timeout="total"):
            return "--timeout sets the limit"
        case NetworkError(timeout=str(deadline)):
            return f"deadlines.{deadline} of a --config file sets the limit"
        case NetworkError(phase="head"):
            return _ASK_THE_DOCTOR
        case _:
            return None


def with_advice(error: ProviderError, key_variable: str | None) -> str:
    """Return the error in one line that says what to do; see `advice`."""
    what_to_do = advice(error, key_variable)
    return str(error) if what_to_do is None else f"{error} ({what_to_do})"
