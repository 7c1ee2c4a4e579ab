"""The trainer's kernel: the committed bytes are those of its source."""

import base64
import re
from importlib import metadata

import pytest

from benchmarks import page as benchmark
from tools.site.kernel import ROOT, SCRIPT, SOURCE, compiled, script

INSTALL = "pip install --no-deps --require-hashes -r requirements-wasm.txt"


@pytest.fixture
def ziglang():
    return pytest.importorskip(
        "ziglang", reason=f"no ziglang, which compiles the kernel: {INSTALL}"
    )


def test_the_committed_kernel_is_what_its_source_compiles_to(ziglang):
    """Byte for byte; by the pinned version."""
    pinned = (ROOT / "requirements-wasm.txt").read_text(encoding="utf-8")
    assert f"ziglang=={metadata.version('ziglang')} " in pinned
    assert script(compiled()) == SCRIPT.read_text(encoding="ascii")


def test_another_source_compiles_to_another_kernel(ziglang, tmp_path):
    source = SOURCE.read_text(encoding="utf-8")
    other = tmp_path / "kernel.c"
    other.write_text(source.replace("1.f / 5040", "1.f / 5041"), encoding="utf-8")
    assert script(compiled(other)) != SCRIPT.read_text(encoding="ascii")


def test_the_script_is_small_and_holds_a_webassembly_module():
    lines = SCRIPT.read_text(encoding="ascii").splitlines()
    kernel = base64.b64decode("".join(re.findall(r'"([\w+/=]+)"', "\n".join(lines[4:]))))
    assert kernel.startswith(b"\0asm")
    assert len(kernel) < 10_000
    assert max(map(len, lines)) <= 100


def test_the_benchmark_trains_in_a_page_and_in_pytorch(browser, tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "PATIENCE", 0.01)
    page = benchmark.page_with_learners(browser, tmp_path)
    taken = benchmark.in_rounds(page, 8, rounds=2)
    page.close()
    assert {kind: each.shape for kind, each in taken.items()} == dict.fromkeys(taken, (2,))
    assert all((each > 0).all() for each in taken.values())
    assert benchmark.line(8, taken).split()[0] == "8"
