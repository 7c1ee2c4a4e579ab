"""Two processes train as one does, and only one of them writes."""

import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from helpers import checkpoint
from helpers.cli import processes as several
from helpers.cli.app import app, main
from helpers.cli.processes import ALONE, Processes
from helpers.corpus import load_corpus
from tests.cli.command_line import SMALL

pytestmark = pytest.mark.slow

ROOT = Path(several.__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(load_corpus("austen").text[:2000], encoding="utf-8")
    return str(path)


def alone(*arguments):
    result = CliRunner().invoke(app, ["train", *map(str, arguments)])
    return result.exit_code, result.stderr


def one_of_two(rank, port, log, arguments):
    """What torchrun does for each process."""
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2",
        "MASTER_ADDR": "localhost", "MASTER_PORT": str(port),
    }  # fmt: skip
    with open(f"{log}.{rank}", "w", encoding="utf-8") as sys.stderr:
        main(arguments)


def in_two(tmp_path, *arguments):
    """Exit codes and standard errors of two processes that train together."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["helpers.cli.app", "helpers.cli.runs", "torch._dynamo"])
    log, arguments = str(tmp_path / "log"), ["train", *map(str, arguments)]
    both = [
        context.Process(target=one_of_two, args=(rank, port, log, arguments)) for rank in (0, 1)
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(600)
        if process.exitcode is None:
            process.kill()
    return [p.exitcode for p in both], [
        Path(f"{log}.{rank}").read_text(encoding="utf-8") for rank in (0, 1)
    ]


def metrics(folder):
    return list(
        map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    )


def assert_same_losses(one, two, within=1e-4):
    a, b = metrics(one), metrics(two)
    assert [line["step"] for line in a] == [line["step"] for line in b]
    for x, y in zip(a, b, strict=True):
        for name in ("loss", "train_loss", "held_out_loss", "grad_norm"):
            assert x.get(name) == pytest.approx(y.get(name), abs=within)


def test_torchrun_with_two_processes_gives_the_losses_of_one(text, tmp_path):
    arguments = [text, "--steps", "40", "--every", "20", "--clip", "0.1", *SMALL]
    assert alone(*arguments, "--out", tmp_path / "one")[0] == 0
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*torchrun, "--nproc-per-node", "2", "-m", "helpers", "train", *arguments]
    found = subprocess.run(
        [*command, "--out", tmp_path / "two"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert len(re.findall("update 20 of 40", found.stderr)) == 1
    assert_same_losses(tmp_path / "one", tmp_path / "two")
    one, two = (checkpoint.load(tmp_path / name)[0].state_dict() for name in ("one", "two"))
    assert all(torch.allclose(one[name], two[name], atol=1e-3) for name in one)


def test_two_processes_go_on_bit_for_bit_and_as_one_does(text, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    arguments = [text, "--every", "10", "--windows", "stream", *SMALL]
    whole, parts, one = (tmp_path / name for name in ("whole", "parts", "one"))
    assert in_two(tmp_path, *arguments, "--steps", 33, "--out", whole)[0] == [0, 0]
    assert in_two(tmp_path, *arguments, "--steps", 30, "--out", parts)[0] == [0, 0]
    codes, said = in_two(tmp_path, "--resume", parts, "--steps", 33)
    assert (codes, "from update 30" in said[0], said[1]) == ([0, 0], True, "")
    for read in (checkpoint.load_tensors, lambda run: checkpoint.load(run)[0].state_dict()):
        a, b = read(whole), read(parts)
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a)
    carried = [name for name in checkpoint.load_tensors(parts) if name.startswith("carried")]
    assert len(carried) == 4  # h and c, of each process
    assert alone(*arguments, "--steps", 33, "--out", one)[0] == 0
    assert_same_losses(one, whole)
    code, said = alone("--resume", parts, "--steps", 40)
    assert (code, "processes was 2, not 1" in said) == (2, True)


def test_a_batch_that_cannot_be_shared_equally_is_refused(text, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    codes, said = in_two(tmp_path, text, *SMALL[:-1], "5", "--out", tmp_path / "run")
    assert codes == [2, 2]
    assert "batch_size must be a multiple of the number of processes: 5 windows" in said[0]


def test_the_rows_of_a_batch_are_shared_without_a_rest():
    shares = [Processes(rank, 3).share(12) for rank in range(3)]
    assert [i for share in shares for i in range(12)[share]] == list(range(12))


def test_alone_nothing_is_sent():
    tensor = torch.arange(3)
    assert ALONE.share(7) == slice(0, 7)
    assert (ALONE.mean(2.5), ALONE.any([1]), ALONE.any([])) == (2.5, True, False)
    assert ALONE.gather(tensor)[0] is tensor
    assert ALONE.wrap(tensor) is tensor
    assert several.from_environment() == ALONE
    assert several.from_environment("cpu") == Processes(device="cpu")


def exchange(rank, store, results):
    """What each of two processes gets when both say something of their own."""
    torch.distributed.init_process_group(
        "gloo", store=torch.distributed.FileStore(store, 2), rank=rank, world_size=2
    )
    here = Processes(rank, 2, "cpu")
    model = nn.Linear(2, 1, bias=False)
    nn.init.constant_(model.weight, rank)  # the first one's weights are taken
    network = here.wrap(model)
    network(torch.tensor([[1.0, 10.0 * rank]])).sum().backward()
    results.put(
        {
            "rank": rank,
            "first": here.first,
            "mean": here.mean(0.1 + rank),
            "any": [here.any(flag) for flag in ([], [1], [1] * rank)],
            "gathered": [
                part.tolist() for part in here.gather(torch.tensor([[5, 6], [7, 8]]).t() + rank)
            ],
            "weight": model.weight.tolist(),
            "gradient": model.weight.grad.tolist(),
        }
    )
    here.wait()
    del network
    here.close()


def test_what_several_processes_say_is_put_together(tmp_path):
    context = multiprocessing.get_context("forkserver")
    results = context.Queue()
    both = [
        context.Process(target=exchange, args=(rank, str(tmp_path / "store"), results))
        for rank in (0, 1)
    ]
    for process in both:
        process.start()
    found = sorted((results.get(timeout=120) for _ in both), key=lambda result: result["rank"])
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert [result["first"] for result in found] == [True, False]
    for result in found:
        assert result["mean"] == pytest.approx(0.6, abs=1e-15)  # in double precision
        assert result["any"] == [False, True, True]
        assert result["gathered"] == [[[5, 7], [6, 8]], [[6, 8], [7, 9]]]
        assert result["weight"] == [[0, 0]]
        assert result["gradient"] == [[1, 5]]  # the mean of (1, 0) and (1, 10)


def test_a_device_that_is_not_here_is_refused_before_processes_meet(monkeypatch):
    for size in ("1", "2"):
        monkeypatch.setenv("WORLD_SIZE", size)
        with pytest.raises(ValueError, match="device is 'xpu', and there is no XPU device here"):
            several.from_environment("xpu")
        monkeypatch.setenv("CHARBOOK_DEVICE", "xpu")
        with pytest.raises(ValueError, match="CHARBOOK_DEVICE is 'xpu'"):
            several.from_environment()


def test_a_process_without_a_gpu_of_its_own_is_told(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(several, "choose_device", lambda device: torch.device("cuda"))
    with pytest.raises(ValueError, match="process 1 has no GPU: there are 1"):
        several.from_environment()
