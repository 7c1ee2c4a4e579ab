"""``python -m helpers``: the command line, which is in ``helpers/cli``."""

from .cli.app import main

if __name__ == "__main__":
    main()
