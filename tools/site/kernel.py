"""The trainer's kernel: kernel.c, compiled to WebAssembly, as a script that a page can load.

    pip install --no-deps --require-hashes -r requirements-wasm.txt
    python -m tools.site.kernel            writes extra/_static/playground/kernel.js

The compiler is that of Zig, which a package on PyPI brings along. Who only reads or builds the
book needs none: the compiled kernel lies beside the other scripts, as base64, for a page from the
disk can fetch no file.
"""

import base64
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_suffix(".c")
SCRIPT = ROOT / "extra/_static/playground/kernel.js"
OPTIONS = [
    "-target", "wasm32-freestanding", "-mcpu=generic+simd128+bulk_memory", "-O3", "-nostdlib",
    "-Wl,--no-entry", "-Wl,--export=__heap_base", "-Wl,-z,stack-size=4096",
    "-Wl,--strip-all",
]  # fmt: skip
TEMPLATE = """\
"use strict";
/* tools/site/kernel.c, compiled by `python -m tools.site.kernel`: do not edit. */
charbook.define("kernel", [], () => ({{
  base64:
{lines},
}}));
"""


def compiled(source=SOURCE):
    """The bytes of the compiled kernel. Raises ModuleNotFoundError without ziglang."""
    import ziglang

    zig = Path(ziglang.__file__).parent / "zig"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "kernel.wasm"
        caches = {"ZIG_GLOBAL_CACHE_DIR": folder, "ZIG_LOCAL_CACHE_DIR": folder}
        subprocess.run(
            [zig, "cc", *OPTIONS, "-o", out, source], check=True, env=os.environ | caches
        )
        return out.read_bytes()


def script(kernel):
    """The same as a script, in lines of at most 100 characters."""
    text = base64.b64encode(kernel).decode("ascii")
    lines = [f'    "{text[k : k + 88]}"' for k in range(0, len(text), 88)]
    return TEMPLATE.format(lines=" +\n".join(lines))


def main():
    kernel = compiled()
    SCRIPT.write_text(script(kernel), encoding="ascii")
    print(f"{SCRIPT.relative_to(ROOT)}: {len(kernel):,} bytes compiled", file=sys.stderr)


if __name__ == "__main__":
    main()
