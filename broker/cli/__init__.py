"""The command line `loa`: parses, calls the HTTP API or the facade, renders. It decides nothing itself."""


def main() -> None:
    """The command `loa`; imported late so that `broker.cli` costs nothing."""
    from broker.cli.app import main as run

    run()
