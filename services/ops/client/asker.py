"""Who asks the platform, as its history keeps it."""

import getpass


def asker() -> str:
    """Return the name of whoever runs the command."""
    try:
        return f"cli: {getpass.getuser()}"
    except (OSError, KeyError):  # an account without a name, as in a container
        return "cli"
