"""The command line: ``python -m helpers train my-novel.txt``; ``--help`` says the rest.

Results go to standard output and everything else to standard error. Exit codes: 0 done;
1 failed (full disk, no network, a loss that is no number); 2 wrong input or usage;
130 interrupted with Ctrl-C.
"""

from __future__ import annotations

import json
import math
import os
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal

import typer

from .messages import plainly, silent, tell, use_utf8, write

# torch is imported where it is needed: --help and `corpora` answer at once.

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train character-level language models on text of your own, and sample from them.",
)
PROGRAM = "python -m helpers"

Texts = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files, folders, globs, names of corpora, or - for standard input; UTF-8.",
        metavar="TEXTS",
        show_default=False,
    ),
]
RunFolder = Annotated[Path, typer.Argument(help="The folder of a trained model.", metavar="RUN")]
Device = Annotated[
    str | None,
    typer.Option(help="cpu, cuda, …; by default cuda where there is one.", show_default=False),
]


MOST = 10**12  # of anything: what is larger would be told in the words of another library


def whole(text, kind=int | None, at_least=1, default=False, *names):
    """A whole number with a help text."""

    def check(value):
        from ..support.arguments import whole_number

        return value if value is None else in_words(whole_number, "it", value, at_least, MOST)

    return Annotated[kind, typer.Option(*names, help=text, callback=check, show_default=default)]


def number(text, wanted, fits, kind=float):
    """A number that ``fits``, or an error that says what is ``wanted``."""

    def check(value):
        if value is not None and not fits(value):
            raise typer.BadParameter(f"it must be {wanted}, not {value:g}")
        return value

    return Annotated[kind, typer.Option(help=text, callback=check, show_default=kind is float)]


def share(text):
    """A part of 1, which may be 0."""
    return number(text, "a number of at least 0 and below 1", lambda x: 0 <= x < 1)


def probability(text):
    """An optional probability, which may be 1."""
    return number(text, "above 0 and at most 1", lambda x: 0 < x <= 1, float | None)


def seed_number(value):
    from ..support.arguments import seed

    return value if value is None else in_words(seed, value, "it")


def in_words(check, *arguments):
    """What a check of the library gives; its error as that of the option it is about."""
    try:
        return check(*arguments)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.command()
def train(
    ctx: typer.Context,
    texts: Texts = None,
    cell: Annotated[
        Literal["rnn", "lstm", "gru", "transformer"], typer.Option(help="The architecture.")
    ] = "lstm",
    steps: whole("How many updates.", int, default=True) = 2000,
    out: Annotated[Path, typer.Option(help="The folder for the run.")] = Path("run"),
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Go on with the run in this folder, with its text and settings; only --steps "
            "and --device may be given beside it.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run in OUT.")] = False,
    embed_size: whole("Numbers for each character going in [32; transformer 128].") = None,
    hidden_size: whole("Numbers that a recurrent network carries [128].") = None,
    num_layers: whole("Layers [1; transformer 4].") = None,
    num_heads: whole("Attention heads of a transformer [4].") = None,
    context: whole("Characters a transformer sees [64].") = None,
    dropout: share("Dropout, between layers.") = 0.0,
    seq_len: whole("Characters in a window [50; at least a transformer's context].") = None,
    batch_size: whole("Windows in an update.", int, default=True) = 64,
    windows: Annotated[
        Literal["disjoint", "random", "stream"],
        typer.Option(help="Windows: shuffled disjoint ones, starting anywhere, or in order."),
    ] = "disjoint",
    lr: number(
        "Adam's learning rate.", "a finite number above 0", lambda x: 0 < x < math.inf
    ) = 3e-3,
    clip: number(
        "The largest gradient norm; 0: no clipping.", "above 0, or 0 for no clipping",
        lambda x: x >= 0,
    ) = 5.0,
    schedule: Annotated[
        Literal["constant", "decay"],
        typer.Option(help="The learning rate: constant, or a short rise, then down to zero."),
    ] = "constant",
    seed: Annotated[
        int, typer.Option(help="Fixes weights, order and dropout.", callback=seed_number)
    ] = 42,
    rare: whole(
        "Characters that occur fewer times become one symbol; 0 keeps all.", int, 0, True
    ) = 0,
    hold_out: share("The share of the text, at its end, that is not trained on.") = 0.1,
    eval_every: whole(
        "Save, measure and sample after so many updates.", int, 1, True, "--every"
    ) = 500,
    prompt: Annotated[
        str | None,
        typer.Option(help="What the samples in between start with.", show_default=False),
    ] = None,
    device: Device = None,
):  # fmt: skip
    """Train a model on texts.

    The folder OUT then holds the model, the encoded text, all that is needed to go on
    bit for bit, and metrics.jsonl, with a line every ten updates. The held-out loss on the
    way is that of at most 50,000 characters. Ctrl-C saves and stops. Several processes:
    torchrun --nproc-per-node 2 -m helpers train ...
    """
    folder = resume or out
    with plainly(folder):
        check_usage(ctx, texts, resume)
        from ..models import context_warning
        from . import processes as several
        from . import runs
        from .lock import locked

        processes = several.from_environment(device)
        say = tell if processes.first else silent
        sources = find(texts) if processes.first and not resume else []
        with locked(folder, make=not resume) if processes.first else nullcontext():
            if resume:
                given = steps if was_given(ctx, "steps") else None
                run = runs.resume(folder, given, processes)
                say(f"{runs.describe(run)}; from update {run.training.done}")
            else:
                settings = settings_from(ctx)
                with reading(sources, processes.first) as progress:
                    run = runs.begin(
                        folder, sources, settings, rare, overwrite, processes, progress
                    )
                say(runs.describe(run))
                if warning := context_warning(run.model, run.training.seq_len, windows):
                    say(f"warning: {warning}")
            if run.training.finished:
                say("nothing is left to do; give more --steps to train on")
            with runs.Stop() as stop:
                finished = run.train(stop, say)
            run.training.close()
        done, total = run.training.done, run.training.total
        if not finished:
            say(f"stopped after update {done} of {total}, which is saved. To go on: {PROGRAM} "
                f"train --resume {folder}")  # fmt: skip
            raise typer.Exit(128 + stop.signal)
        say(f"{done} updates done. Now: {PROGRAM} sample {folder}")


@app.command()
def sample(
    run: RunFolder,
    prompt: Annotated[
        str | None,
        typer.Option(
            help="The text to continue; - reads it from standard input.", show_default="a line end"
        ),
    ] = None,
    length: whole("New characters.", int, 0, True) = 500,
    temperature: number(
        "Below 1 more careful, above 1 bolder; 0: always the likeliest.",
        "a finite number of at least 0", lambda x: 0 <= x < math.inf,
    ) = 1.0,
    top_k: whole("Draw from the k likeliest characters only.") = None,
    top_p: probability(
        "Draw from the fewest characters that together have this probability."
    ) = None,
    min_p: probability("Leave out what is less than this times as likely as the likeliest.") = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Gives the same text again.", callback=seed_number, show_default=False
        ),
    ] = None,
):  # fmt: skip
    """Write text with a trained model, character by character, to standard output."""
    with plainly(run):
        from .. import checkpoint, sampling
        from ..corpus import RARE, line_feeds
        from .encoded import STDIN, read_texts
        from .runs import default_prompt

        model, vocab, _ = checkpoint.load(run)
        if prompt is None:
            prompt = default_prompt(vocab)
        else:
            prompt = "".join(read_texts([STDIN])) if prompt == STDIN else line_feeds(prompt)
        if RARE in vocab:
            prompt = vocab.decode(vocab.encode(prompt, unknown=RARE))
        new = sampling.stream(
            model, vocab, prompt, length, temperature, top_k, top_p, min_p, seed=seed
        )
        last = prompt[-1]
        write(prompt)
        for last in new:
            write(last)
        if last != "\n":
            write("\n")


@app.command()
def evaluate(
    run: RunFolder,
    texts: Texts = None,
    window: whole("Score windows of so many characters, each from a zero state.") = None,
    limit: whole("Read so many characters at most.", at_least=2) = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
    device: Device = None,
):
    """Say how well a model predicts texts; without any, the held-out part of its own.

    Read as one stream, unless --window is given. Characters that the model does not know
    are an error, or the rare symbol where it was trained with --rare.
    """
    with plainly(run):
        from .. import checkpoint, training
        from ..corpus import RARE
        from ..models import choose_device
        from . import encoded, runs

        device = choose_device(device)  # refuses one that is not here
        model, vocab, stored = checkpoint.load(run)
        unknown = 0
        if texts:
            text = "".join(limited(encoded.read_texts(find(texts)), limit))
            if RARE in vocab:
                ids = vocab.encode(text, unknown=RARE)
                unknown = int((ids == vocab.chars.index(RARE)).sum()) - text.count(RARE)
            else:
                ids = vocab.encode(text)
        else:
            held_out = runs.settings_of(run, stored).hold_out
            if held_out == 0:
                raise ValueError(
                    f"{run} was trained with --hold-out 0, so that nothing was held out: name a "
                    "text to evaluate it on"
                )
            own = encoded.open_encoded(run, check=True)
            if own.vocab != vocab:
                raise ValueError(f"the text in {run} has another vocabulary than the model")
            ids = own.split(held_out)[1][:limit]
        model.to(device)
        loss = training.evaluate(model, ids, window)
        if not math.isfinite(loss):
            raise ArithmeticError(f"the loss is {loss}: the model's weights are of no use")
        found = {"nats": loss} | runs.per_character(loss)
        found |= {"characters": len(ids) - 1, "unknown": unknown, "window": window}
    if as_json:
        return write(json.dumps(found) + "\n")
    write(
        f"nats per character  {loss:.4f}\n"
        f"perplexity          {found['perplexity']:.4f}\n"
        f"bits per character  {found['bits']:.4f}\n"
        f"characters          {found['characters']}\n"
        + (f"unknown, as rare    {unknown}\n" if unknown else "")
    )


@app.command()
def export(
    run: RunFolder,
    to: Annotated[Path, typer.Argument(help="The script to write, ending in .js.", metavar="TO")],
    precision: Annotated[
        Literal["int8", "float16", "float32"], typer.Option(help="How a weight is stored.")
    ] = "float16",
):
    """Write a model for the page that runs it in the browser."""
    with plainly(to):
        from .export import export as write_export

        written = write_export(run, to, precision=precision)
        tell(
            f"{written['bytes']:,} bytes; no logit differs by more than "
            f"{written['largest_error']:.2g} from the exact one"
        )
        write(f"{to}\n")


@app.command()
def corpora():
    """List the corpora that are known by name."""
    from ..corpus import SOURCES, on_this_machine

    with plainly(None):
        for name, source in SOURCES.items():
            path = on_this_machine(name)
            if path is None and source.url:
                import pooch

                cached = Path(pooch.os_cache("character-by-character")) / source.file
                path = cached if cached.is_file() else f"downloaded when asked for: {source.url}"
            write(f"{name:16} {path or 'missing'}\n")


def check_usage(ctx, texts, resume):
    """Refuse combinations that make no sense."""
    if resume is None:
        if not texts:
            raise typer.BadParameter(
                "name a text to train on: files, folders, globs, corpora, or - for standard input"
            )
        return
    free = {"resume", "steps", "device"}
    given = [p for p in ctx.command.params if p.name not in free and was_given(ctx, p.name)]
    if given:
        given = ", ".join(p.metavar or p.opts[0] for p in given)
        raise typer.BadParameter(f"a resumed run has its text and settings: leave out {given}")


def was_given(ctx, name):
    """Whether a parameter was on the command line."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def settings_from(ctx):
    """The settings of a run: the options that are called like its fields."""
    from ..corpus import line_feeds
    from .runs import Settings

    given = {field.name: ctx.params[field.name] for field in fields(Settings)}
    if given["prompt"] is not None:
        given["prompt"] = line_feeds(given["prompt"])
    return Settings(**given | {"clip": given["clip"] or None})


def find(texts):
    """What ``find_texts`` finds; what it passes over is told."""
    from .encoded import find_texts

    sources, passed_over = find_texts(texts)
    linked = [path for path in passed_over if path.is_dir()]
    no_text = len(passed_over) - len(linked)
    if no_text:
        tell(f"passed over {no_text} that {'is' if no_text == 1 else 'are'} no text")
    for path in linked:
        tell(f"passed over {path}, a link to a folder: name it to read it too")
    return sources


@contextmanager
def reading(sources, shown):
    """A bar over the bytes of the sources, on a terminal."""
    from ..support.progress import progress_bar

    total = sum(0 if s == "-" else os.path.getsize(s) for s in sources)
    shown = shown and sys.stderr.isatty()
    with progress_bar(show=shown, total=total or None, unit="B", unit_scale=True,
                      desc="reading", delay=1) as bar:  # fmt: skip
        yield bar.update


def limited(pieces, limit):
    """The first ``limit`` characters of a text in pieces."""
    for piece in pieces:
        yield piece[:limit]
        if limit is not None:
            limit -= len(piece)
            if limit <= 0:
                return


def main(arguments=None):
    """Run the command line on ``arguments``, by default those that Python was started with."""
    use_utf8()
    app(arguments, prog_name=PROGRAM)


if __name__ == "__main__":
    main()
