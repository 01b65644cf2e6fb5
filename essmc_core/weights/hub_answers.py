"""What the Hugging Face Hub's refusals mean: absent, private, gated, not permitted, not reached."""

from __future__ import annotations

from collections.abc import Iterator

from essmc_core.foundation.error_text import first_line

_CLIENTS = ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")


def what_the_hub_said(error: BaseException, repository: str, *, revision: str | None = None) -> tuple[str, str]:
    """Returns one message for an error of `huggingface_hub`, and what to do.

    Args:
        error: what was raised.
        repository: ``owner/name``.
        revision: what was asked for; None is its main branch.
    """
    from huggingface_hub import errors

    chain = list(_chain(error))
    status = next((code for one in chain if (code := _status(one))), 0)

    def is_any(*kinds: type[BaseException]) -> bool:
        return any(isinstance(one, kinds) for one in chain)

    sign_in = "`hf auth login` signs in, or HF_TOKEN holds a token."
    if is_any(errors.GatedRepoError):
        return (
            f"{repository} is gated: its owner gives access on request, and this account has none",
            f"Ask for it on its page at the Hub. {sign_in}",
        )
    if is_any(errors.RevisionNotFoundError):
        return f"{repository} has no revision {revision}", "Name a branch, a tag or a commit of it."
    if is_any(errors.RepositoryNotFoundError):
        return (
            f"the Hub shows no repository {repository}: there is none, or it is private",
            f"Check its name. {sign_in}",
        )
    if is_any(errors.EntryNotFoundError) and status == 404:
        return f"{repository} has no such file", "Its page at the Hub lists its files."
    if status == 401:
        return f"the Hub asks who you are for {repository}, or does not know the token", sign_in
    if status == 403:
        return (
            f"this account may not do that with {repository}",
            f"A token needs the right to write, to push. {sign_in}",
        )
    if status:
        return (
            f"the Hub answered {status} for {repository}: {first_line(error, type(error).__name__)}",
            "Try again later." * (status >= 500),
        )
    if is_any(ConnectionError, TimeoutError, errors.LocalEntryNotFoundError) or any(map(_is_of_client, chain)):
        return f"the Hub cannot be reached for {repository}", "Check the network, and HF_ENDPOINT if it is set."
    return f"{repository}: {first_line(error, type(error).__name__)}", ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _status(error: BaseException) -> int:
    status = getattr(getattr(error, "response", None), "status_code", 0)
    return status if isinstance(status, int) else 0


def _is_of_client(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in _CLIENTS
