"""What a child process runs that checks components, zoo entries and commands, one request after the other."""

from __future__ import annotations

from essmc_devkit.children.channel import Channel, limit_memory, telling_where_it_hangs
from essmc_devkit.children.limits import GIB


def main() -> None:
    """Answers requests until there are no more."""
    channel = Channel()
    # Packs are discovered by this import, and what they print must not get between the answers.
    from essmc_devkit.children.answering import answer

    channel.send(ready=True)
    for request in channel.requests():
        limit_memory(int(request["memory"] * 1.5) + 2 * GIB)
        with telling_where_it_hangs(request["seconds"]):
            for finding in answer(request):
                channel.send(finding=finding.as_dict())
        channel.send(done=True)


if __name__ == "__main__":
    main()
