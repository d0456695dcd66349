"""The executable's entry: hands the arguments to the command line."""

import sys

from appliance.cli.main import run


def main() -> None:
    """Run the command named by the arguments and exit with its code."""
    sys.exit(run(sys.argv))


if __name__ == "__main__":
    main()
