"""The command line: ``python -m helpers train my-novel.txt``; ``--help`` says the rest.

Results go to standard output and everything else to standard error. Exit codes: 0 done;
1 failed (full disk, no network, a loss that is no number); 2 wrong input or usage;
130 interrupted with Ctrl-C.
"""

from __future__ import annotations

import errno
import json
import math
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

# torch is imported where it is needed: --help and `corpora` answer at once.

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train character-level language models on text of your own, and sample from them.",
)
FAILED, WRONG, INTERRUPTED = 1, 2, 130
# What a function's argument is told by None, an option is told otherwise.
AS_AN_OPTION = {
    ", or None for no clipping,": ", or 0 for no clipping,",
}
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


def size(text):
    """An optional whole number with a help text."""
    return Annotated[int | None, typer.Option(help=text, show_default=False)]


def part(text):
    """An optional decimal number with a help text."""
    return Annotated[float | None, typer.Option(help=text, show_default=False)]


@app.command()
def train(
    context: typer.Context,
    texts: Texts = None,
    cell: Annotated[
        Literal["rnn", "lstm", "gru", "transformer"], typer.Option(help="The architecture.")
    ] = "lstm",
    steps: Annotated[int, typer.Option(min=1, help="How many updates.")] = 2000,
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
    embed_size: size("Numbers for each character going in [32; transformer 128].") = None,
    hidden_size: size("Numbers that a recurrent network carries [128].") = None,
    num_layers: size("Layers [1; transformer 4].") = None,
    num_heads: size("Attention heads of a transformer [4].") = None,
    context_size: Annotated[
        int | None,
        typer.Option("--context", help="Characters a transformer sees [64].", show_default=False),
    ] = None,
    dropout: Annotated[float, typer.Option(help="Dropout, between layers.")] = 0.0,
    seq_len: size("Characters in a window [50; at least a transformer's context].") = None,
    batch_size: Annotated[int, typer.Option(help="Windows in an update.")] = 64,
    windows: Annotated[
        Literal["disjoint", "random", "stream"],
        typer.Option(help="Windows: shuffled disjoint ones, starting anywhere, or in order."),
    ] = "disjoint",
    lr: Annotated[float, typer.Option(help="Adam's learning rate.")] = 3e-3,
    clip: Annotated[float, typer.Option(help="The largest gradient norm; 0: no clipping.")] = 5.0,
    schedule: Annotated[
        Literal["constant", "decay"],
        typer.Option(help="The learning rate: constant, or a short rise, then down to zero."),
    ] = "constant",
    seed: Annotated[int, typer.Option(min=0, help="Fixes weights, order and dropout.")] = 42,
    rare: Annotated[
        int,
        typer.Option(
            min=0, help="Characters that occur fewer times become one symbol; 0 keeps all."
        ),
    ] = 0,
    hold_out: Annotated[
        float, typer.Option(help="The share of the text, at its end, that is not trained on.")
    ] = 0.1,
    every: Annotated[
        int, typer.Option(min=1, help="Save, measure and sample after so many updates.")
    ] = 500,
    prompt: Annotated[
        str | None,
        typer.Option(help="What the samples in between start with.", show_default=False),
    ] = None,
    device: Device = None,
):
    """Train a model on texts.

    The folder OUT then holds the model, the encoded text, all that is needed to go on
    bit for bit, and metrics.jsonl, with a line every ten updates. The held-out loss on the
    way is that of at most 50,000 characters. Ctrl-C saves and stops. Several processes:
    torchrun --nproc-per-node 2 -m helpers train ...
    """
    with plainly(resume or out):
        check_usage(context, texts, resume)
        check_device(device)
        from ..models import context_warning
        from . import processes as several
        from . import runs
        from .encoded import find_texts

        processes = several.from_environment(device)
        say = tell if processes.first else silent
        if resume:
            given = steps if was_given(context, "steps") else None
            run = runs.resume(resume, given, processes)
            say(f"{runs.describe(run)}; from update {run.training.done}")
        else:
            settings = runs.Settings(
                cell, embed_size, hidden_size, num_layers, num_heads, context_size, dropout,
                steps, seq_len, batch_size, windows, lr, clip or None, schedule, seed,
                hold_out, every, prompt,
            )  # fmt: skip
            sources, passed_over = find_texts(texts) if processes.first else ([], [])
            if passed_over:
                say(f"passed over {len(passed_over)} files that are no text")
            with reading(sources, processes.first) as progress:
                run = runs.begin(out, sources, settings, rare, overwrite, processes, progress)
            say(runs.describe(run))
            if warning := context_warning(run.model, run.training.seq_len, settings.windows):
                say(f"warning: {warning}")
        if run.training.finished:
            say("nothing is left to do; give more --steps to train on")
        with runs.Stop() as stop:
            finished = run.train(stop, say)
        run.training.close()
        done, total = run.training.done, run.training.total
        if not finished:
            say(f"stopped after update {done} of {total}, which is saved. To go on: {PROGRAM} "
                f"train --resume {run.folder}")  # fmt: skip
            raise typer.Exit(128 + stop.signal)
        say(f"{done} updates done. Now: {PROGRAM} sample {run.folder}")


@app.command()
def sample(
    run: RunFolder,
    prompt: Annotated[
        str | None,
        typer.Option(
            help="The text to continue; - reads it from standard input.", show_default="a line end"
        ),
    ] = None,
    length: Annotated[int, typer.Option(help="New characters.")] = 500,
    temperature: Annotated[
        float, typer.Option(help="Below 1 more careful, above 1 bolder; 0: always the likeliest.")
    ] = 1.0,
    top_k: size("Draw from the k likeliest characters only.") = None,
    top_p: part("Draw from the fewest characters that together have this probability.") = None,
    min_p: part("Leave out what is less than this times as likely as the likeliest.") = None,
    seed: size("Gives the same text again.") = None,
):
    """Write text with a trained model, character by character, to standard output."""
    with plainly(run):
        from .. import checkpoint, sampling
        from ..corpus import RARE
        from .runs import default_prompt

        settings = sampling_settings(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
        model, vocab, _ = checkpoint.load(run)
        if prompt == "-":
            prompt = read_stdin()
        elif prompt is None:
            prompt = default_prompt(vocab)
        if RARE in vocab:
            prompt = vocab.decode(vocab.encode(prompt, unknown=RARE))
        new = sampling.stream(model, vocab, prompt, length, **vars(settings), seed=seed)
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
    window: size("Score windows of so many characters, each from a zero state.") = None,
    limit: size("Read so many characters at most.") = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
    device: Device = None,
):
    """Say how well a model predicts texts; without any, the held-out part of its own.

    Read as one stream, unless --window is given. Characters that the model does not know
    are an error, or the rare symbol where it was trained with --rare.
    """
    with plainly(run):
        check_device(device)
        if limit is not None and limit < 2:
            raise ValueError(f"limit must be at least 2 characters, not {limit}")
        from .. import checkpoint, training
        from ..corpus import RARE
        from ..models import choose_device
        from . import encoded, runs

        model, vocab, stored = checkpoint.load(run)
        unknown = 0
        if texts:
            sources, _ = encoded.find_texts(texts)
            text = "".join(limited(encoded.read_texts(sources), limit))
            ids = vocab.encode(text, unknown=RARE if RARE in vocab else None)
            strange = set(text).difference(vocab.chars)
            unknown = sum(text.count(c) for c in strange)
        else:
            held_out = runs.settings_of(run, stored).hold_out
            own = encoded.open_encoded(run, check=True)
            if own.vocab != vocab:
                raise ValueError(f"the text in {run} has another vocabulary than the model")
            ids = own.split(held_out)[1][:limit]
        model.to(choose_device(device))
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


def sampling_settings(**options):
    """The settings of ``sample``; an error names the option."""
    from ..sampling import ALLOWED, SamplingSettings

    try:
        return SamplingSettings(**options)
    except ValueError as error:
        name = error.name
        option = "--" + name.replace("_", "-")
        raise ValueError(f"{option} must be {ALLOWED[name][0]}, not {options[name]}") from None


def check_usage(context, texts, resume):
    """Refuse combinations that make no sense."""
    if resume is None:
        if not texts:
            raise typer.BadParameter(
                "name a text to train on: files, folders, globs, corpora, or - for standard input"
            )
        return
    free = {"resume", "steps", "device"}
    given = [name for name in context.params if name not in free and was_given(context, name)]
    if given:
        names = {"texts": "TEXTS", "context_size": "--context"}
        given = ", ".join(names.get(name, "--" + name.replace("_", "-")) for name in given)
        raise typer.BadParameter(f"a resumed run has its text and settings: leave out {given}")


def was_given(context, name):
    """Whether a parameter was on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def check_device(device):
    """Refuse a device that is not there."""
    if device is None:
        return
    import torch

    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise ValueError(f"there is no device called {device!r}; try cpu or cuda") from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError("there is no CUDA device here; leave out --device, or say --device cpu")


@contextmanager
def reading(sources, shown):
    """A bar over the bytes of the sources, on a terminal."""
    from tqdm import tqdm

    total = sum(0 if s == "-" else os.path.getsize(s) for s in sources)
    quiet = {} if shown and sys.stderr.isatty() else {"disable": True}
    with tqdm(total=total or None, unit="B", unit_scale=True, desc="reading", delay=1,
              leave=False, **quiet) as bar:  # fmt: skip
        yield bar.update


def limited(pieces, limit):
    """The first ``limit`` characters of a text in pieces."""
    for piece in pieces:
        yield piece[:limit]
        if limit is not None:
            limit -= len(piece)
            if limit <= 0:
                return


def read_stdin():
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"standard input is not UTF-8 text: {error}") from None


def write(text):
    """To standard output, at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def tell(line):
    """To standard error."""
    print(line, file=sys.stderr, flush=True)


def silent(line):
    pass


@contextmanager
def plainly(folder):
    """Errors as one line that says what is wrong and what would be right, never a traceback."""
    try:
        yield
    except (typer.Exit, typer.BadParameter):
        raise
    except KeyboardInterrupt:
        fail("interrupted", INTERRUPTED)
    except BrokenPipeError:  # whoever reads our output has enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except FileNotFoundError as error:
        fail(in_words(error, folder), WRONG)
    except OSError as error:
        fail(in_words(error, folder), FAILED)
    except (ArithmeticError, MemoryError, ImportError) as error:
        fail(str(error) or type(error).__name__, FAILED)
    except ValueError as error:
        message = str(error)
        for in_python, here in AS_AN_OPTION.items():
            message = message.replace(in_python, here)
        fail(message, WRONG)
    except RuntimeError as error:
        if "out of memory" in str(error):
            fail("out of memory: a smaller model, --batch-size or --seq-len needs less", FAILED)
        fail(str(error).partition("\n")[0], FAILED)


def in_words(error, folder):
    """What an error of the operating system means for who reads it."""
    if error.errno is None:  # one of our own, which says it already
        return str(error)
    place = error.filename or folder
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"the disk is full, so that {place} could not be written. A checkpoint that was "
            "saved before is whole; free some space and go on from it with --resume"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{place} may not be read or written here: choose another place, or change its "
            "permissions"
        )
    return f"{place}: {error.strerror}"


def fail(message, code):
    tell(f"error: {' '.join(message.split())}")
    raise typer.Exit(code)


def main(arguments=None):
    """Run the command line on ``arguments``, by default those that Python was started with."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")
    app(arguments, prog_name=PROGRAM)


if __name__ == "__main__":
    main()
