"""What a person at the command line can do about an error."""

from typing import Final

from tokenwire.errors import AuthError, NetworkError, OtherError, ProviderError, RateLimitError

NAME_THE_KEY: Final = "name the variable that holds your key with --key-env"


def advice(error: ProviderError, key_variable: str | None) -> str | None:
    """Say what to do about an error, None where its message says all.

    Args:
        error: What went wrong.
        key_variable: Name of the environment variable with the key, None where none was named.
    """
    what_to_do: str | None
    match error:
        case AuthError() if key_variable is None:
            what_to_do = NAME_THE_KEY
        case AuthError():
            what_to_do = f"the key came from the variable {key_variable}"
        case NetworkError(phase="tls") if "tls.ca_file" in error.message:
            what_to_do = "--ca-file FILE trusts a certificate authority of your own"
        case NetworkError(timeout="total"):
            what_to_do = "--timeout sets the limit"
        case NetworkError(timeout="connect", phase="tls"):
            what_to_do = "what listens there may speak no TLS: does base_url begin with http://?"
        case NetworkError(timeout=str(deadline)):
            what_to_do = f"deadlines.{deadline} of a --config file sets the limit"
        case RateLimitError(scope="quota"):
            what_to_do = "check the account's credit and limits"
        case RateLimitError(retry_after=float(seconds)):
            what_to_do = f"try again in {seconds:g} s"
        case OtherError(kind="not_found"):
            what_to_do = "'tokenwire doctor' with the same options says what to check"
        case _:
            what_to_do = None
    return what_to_do


def with_advice(error: ProviderError, key_variable: str | None) -> str:
    """Return the error in one line that says what to do; see `advice`."""
    what_to_do = advice(error, key_variable)
    return str(error) if what_to_do is None else f"{error} ({what_to_do})"
