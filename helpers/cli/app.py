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

from .messages import Commands, plainly, silent, tell, use_utf8, write
from .options import number, positive, probability, seed_number, share, whole

# torch is imported where it is needed: --help and `corpora` answer at once.

app = typer.Typer(
    cls=Commands,
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


@app.command()
def train(
    ctx: typer.Context,
    texts: Texts = None,
    cell: Annotated[
        Literal["rnn", "lstm", "gru", "transformer"], typer.Option(help="The architecture.")
    ] = "lstm",
    steps: whole(
        "How many updates in all, those of a resumed run included.", int, default=True
    ) = 2000,
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
    lr: positive("Adam's learning rate.") = 3e-3,
    clip: number(
        "The largest gradient norm; 0: no clipping.", "above 0, or 0 for no clipping",
        lambda x: x >= 0,
    ) = 5.0,
    schedule: Annotated[
        Literal["constant", "decay"],
        typer.Option(help="The learning rate: constant, or a short rise, then down to zero."),
    ] = "constant",
    seed: seed_number("Fixes weights, order and dropout.", int, True) = 42,
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
            before = run.training.done
            with runs.Stop() as stop:
                finished = run.train(stop, say)
            run.training.close()
        done, total = run.training.done, run.training.total
        if not finished:
            say(f"stopped after update {done} of {total}, which is saved. To go on: {PROGRAM} "
                f"train --resume {folder}")  # fmt: skip
            raise typer.Exit(128 + stop.signal)
        if done == before:
            say(f"nothing is left to do: all {done} updates are done; a larger --steps trains on")
        else:
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
    seed: seed_number("Gives the same text again.") = None,
):  # fmt: skip
    """Write text with a trained model, character by character, to standard output."""
    with plainly(run):
        from .. import checkpoint, sampling
        from ..corpus import RARE, line_feeds
        from .encoded import STDIN, read_texts
        from .runs import default_prompt

        model, vocab, _ = checkpoint.load(run)
        if prompt is None:
            if length == 0:
                return
            prompt = default_prompt(vocab)
        else:
            prompt = "".join(read_texts([STDIN])) if prompt == STDIN else line_feeds(prompt)
        try:
            symbol = RARE if RARE in vocab else None
            prompt = vocab.decode(vocab.encode(prompt, unknown=symbol))
        except ValueError as error:
            raise ValueError(
                f"{error}. Trained with --rare 2, a model has a symbol for unknown characters, "
                "provided that its text has characters that occur only once"
            ) from None
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
        + (f"unknown characters, read as the rare symbol  {unknown}\n" if unknown else "")
    )


@app.command()
def export(
    run: RunFolder,
    to: Annotated[Path, typer.Argument(help="The script to write, ending in .js.", metavar="TO")],
    precision: Annotated[
        Literal["int8", "float16", "float32"], typer.Option(help="How a weight is stored.")
    ] = "float16",
):
    """Write a model of one recurrent layer for the book's playground, or for Python.

    The playground on the book's first page runs it in the place of the book's LSTM, in "Let it
    write" and "Your text, coloured", if TO is _static/playground/models/lstm.js in the built
    site (_build/html after make book). Export it there: a renamed copy is not found.
    In Python, helpers.cli.export.read(TO) gives the model and its vocabulary.
    """
    with plainly(to):
        from .export import export as write_export

        written = write_export(run, to, precision=precision)
        tell(
            f"{written['bytes']:,} bytes; no logit differs by more than "
            f"{written['largest_error']:.2g} from the exact one. The book's playground runs it "
            f"as its lstm.js: {PROGRAM} export --help says how"
        )
        write(f"{to}\n")


@app.command()
def corpora():
    """List the corpora that are known by name."""
    from ..corpus import SOURCES, cache_folder, on_this_machine
    from ..support import plays

    with plainly(None):
        for name, source in SOURCES.items():
            path = on_this_machine(name)
            if path is None and source.url:
                cached = cache_folder() / source.file
                path = cached if cached.is_file() else f"downloaded when asked for: {source.url}"
            write(f"{name:16} {path or 'missing'}\n")
        try:
            where = f"{plays.folder()}; one of them by its name, such as {plays.PLAYS[0]}"
        except FileNotFoundError:
            where = f"missing: {plays.INSTALL}"
        write(f"{plays.ALL:16} {where}\n")


def check_usage(ctx, texts, resume):
    """Refuse combinations that make no sense."""
    if resume is None:
        if not texts:
            raise ValueError(
                "name a text to train on: files, folders, globs, corpora, or - for standard input"
            )
        return
    free = {"resume", "steps", "device"}
    given = [p for p in ctx.command.params if p.name not in free and was_given(ctx, p.name)]
    if given:
        given = ", ".join(p.opts[0] if p.opts[0][0] == "-" else p.metavar for p in given)
        raise ValueError(f"a resumed run has its text and settings: leave out {given}")


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
    """What ``find_texts`` finds; how many files that is and what it passes over is told."""
    from .encoded import LINKED_FOLDER, NO_TEXT, READ_ALREADY, find_texts

    sources, passed_over = find_texts(texts)
    reasons = list(passed_over.values())
    if n := reasons.count(NO_TEXT):
        tell(f"passed over {n:,} that {'is' if n == 1 else 'are'} no text")
    if n := reasons.count(READ_ALREADY):
        tell(f"passed over {n:,} link{'s' * (n > 1)} to files that are read under another name")
    for path in (path for path, reason in passed_over.items() if reason == LINKED_FOLDER):
        tell(f"passed over {path}, a link to a folder: name it to read it too")
    if len(sources) > 1:
        tell(f"reading {len(sources):,} files")
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
