"use strict";
/* The functions of plain.js in WebAssembly, on vectors of four numbers: tools/site/kernel.c says
   what each does. The arrays are views of the WebAssembly memory, so nothing is copied. */
charbook.define("simd", ["kernel"], ({ base64 }) => {
  const PANEL = 8; // columns that are packed side by side
  const ALIGNED = 16; // bytes
  const PAGE = 65_536; // bytes by which a memory grows

  let compiled; // once, when it is first needed; null where the browser cannot run it

  function compile() {
    if (typeof WebAssembly === "undefined") return null;
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : null;
  }

  /* As `plain` of plain.js, but `arrays` may be called once; null where the browser has no
     vectors, or the network's H is no multiple of theirs. */
  function simd(H) {
    compiled ??= compile();
    if (!compiled || H % 4) return null;
    const { memory, __heap_base: free, ...functions } = new WebAssembly.Instance(compiled).exports;
    const place = (argument) => argument.byteOffset ?? Number(argument);
    for (const name in functions) {
      const call = functions[name];
      functions[name] = (...given) => call(...given.map(place));
    }
    const { pack } = functions;

    function arrays(floats, ids) {
      const made = {};
      let end = free.value;
      const reserve = (Type) => ([name, length]) => {
        const at = Math.ceil(end / ALIGNED) * ALIGNED;
        end = Math.ceil((at + length * Type.BYTES_PER_ELEMENT) / ALIGNED) * ALIGNED;
        made[name] = () => new Type(memory.buffer, at, length);
      };
      Object.entries(floats).forEach(reserve(Float32Array));
      Object.entries(ids).forEach(reserve(Uint16Array));
      memory.grow(Math.max(0, Math.ceil((end - memory.buffer.byteLength) / PAGE)));
      for (const name in made) made[name] = made[name]();
      return made;
    }

    return {
      vectors: true,
      arrays,
      ...functions,
      packedSize: (K, N) => K * Math.ceil(N / PANEL) * PANEL,
      pack(buffer, b, K, N, turned) {
        pack(buffer, b, K, N, turned ? 1 : N, turned ? K : 1);
        return buffer;
      },
    };
  }

  return { simd };
});
