"use strict";
/* The book's models in plain JavaScript: from an exported file and ids to logits. Here are the
   recurrent ones, equal to helpers/models.py and gates.py, which tests/site/test_engine.py
   holds together; transformer.js adds its own. */
charbook.define("engine", [], () => {
  function bytesFromBase64(text) {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
    return bytes;
  }

  /* The number that 16 bits stand for (IEEE 754 binary16). */
  function half(bits) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }

  /* One tensor of an exported file -> Float32Array, row by row. */
  function unpack(tensor) {
    const { buffer } = bytesFromBase64(tensor.data);
    if (tensor.dtype === "float32") return new Float32Array(buffer);
    if (tensor.dtype === "float16") return Float32Array.from(new Uint16Array(buffer), half);
    if (tensor.dtype !== "int8") throw new Error(`weights of an unknown kind: ${tensor.dtype}`);
    const integers = new Int8Array(buffer);
    const scale = new Float32Array(bytesFromBase64(tensor.scale).buffer); // one a row
    const width = integers.length / scale.length;
    const values = new Float32Array(integers); // up to half a million: a loop is the quicker way
    for (let row = 0, i = 0; row < scale.length; row++)
      for (const end = i + width; i < end; i++) values[i] *= scale[row];
    return values;
  }

  const classes = {}; // architecture -> class of its models

  /* What helpers/cli/export.py wrote -> a model: a Network that has also start() -> state and
     step(state, id) -> logits. */
  function load(file) {
    if (file?.format !== "character-by-character model" || file.version !== 1)
      throw new Error("this is not a model that this page can read");
    const { cell = "transformer" } = file.config;
    if (!classes[cell]) throw new Error(`this page cannot run ${cell}`);
    const weights = {};
    for (const [name, tensor] of Object.entries(file.weights)) weights[name] = unpack(tensor);
    return new classes[cell](file.config, file.characters, weights);
  }

  /* What all models have: a vocabulary. */
  class Network {
    /* config: the model's own, as in Python; characters: a text */
    constructor(config, characters) {
      this.config = config;
      this.V = config.vocab_size;
      this.characters = Array.from(characters); // by code point, as in Python
      this.ids = new Map(this.characters.map((character, id) => [character, id]));
      if (this.characters.length !== this.V)
        throw new Error(`${this.characters.length} characters for a model of ${this.V}`);
    }

    /* Throws a RangeError for an id that is not in the vocabulary. */
    check(id) {
      if (!(Number.isInteger(id) && id >= 0 && id < this.V))
        throw new RangeError(`id ${id} is outside the vocabulary's 0 to ${this.V - 1}`);
    }

    /* A text -> its ids. Throws UnknownCharacters. */
    encode(text) {
      const characters = Array.from(text);
      const unknown = new Set(characters.filter((character) => !this.ids.has(character)));
      if (unknown.size) throw new UnknownCharacters([...unknown], characters, this.characters);
      return characters.map((character) => this.ids.get(character));
    }
  }

  /* ---------------------------------------------------------------- recurrent networks */

  const GATES = { rnn: 1, lstm: 4, gru: 3 }; // rows of the weights, in units of H

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));

  /* out = start + matrix (rows, columns) times vector (columns) */
  function affine(out, start, offset, matrix, vector, columns) {
    const inFours = columns - (columns % 4);
    for (let r = 0; r < out.length; r++) {
      const row = r * columns;
      let a = start[offset + r], b = 0, c = 0, d = 0; // four sums do not wait for each other
      let k = 0;
      for (; k < inFours; k += 4) {
        a += matrix[row + k] * vector[k];
        b += matrix[row + k + 1] * vector[k + 1];
        c += matrix[row + k + 2] * vector[k + 2];
        d += matrix[row + k + 3] * vector[k + 3];
      }
      for (; k < columns; k++) a += matrix[row + k] * vector[k];
      out[r] = a + b + (c + d);
    }
  }

  class Model extends Network {
    /* config: {vocab_size, embed_size, hidden_size, cell, num_layers: 1}; characters: a text;
       weights: {PyTorch's parameter name: array, row by row}. */
    constructor(config, characters, weights) {
      super(config, characters);
      const { embed_size: E, hidden_size: H, cell, num_layers = 1 } = config;
      if (!(cell in GATES) || num_layers !== 1)
        throw new Error("this page runs one layer of an RNN, an LSTM or a GRU");
      this.cell = cell;
      this.H = H;
      this.recurrent = weights["recurrent.weight_hh_l0"]; // (GATES * H, H)
      this.outWeight = weights["output.weight"]; // (V, H)
      this.outBias = weights["output.bias"]; // (V,)
      this.#fold(weights, E);
      this.sums = new Float64Array(GATES[cell] * H); // a buffer for step()
    }

    /* What one character adds to the sums never changes: compute it once for each of the V.
       The GRU's reset gate acts after the product with h, so there the candidate's second
       bias has to stay with that product. */
    #fold(weights, E) {
      const rows = GATES[this.cell] * this.H;
      const inner = weights["recurrent.bias_hh_l0"];
      const folded = this.cell === "gru" ? 2 * this.H : rows; // rows of which both biases are
      const bias = Float64Array.from(
        weights["recurrent.bias_ih_l0"],
        (b, r) => b + (r < folded ? inner[r] : 0),
      );
      this.innerBias = Float64Array.from(inner, (b, r) => (r < folded ? 0 : b));
      this.table = new Float64Array(this.V * rows); // (V, rows)
      for (let id = 0; id < this.V; id++) {
        const out = this.table.subarray(id * rows, (id + 1) * rows);
        const embedded = weights["embedding.weight"].subarray(id * E, (id + 1) * E);
        affine(out, bias, 0, weights["recurrent.weight_ih_l0"], embedded, E);
      }
    }

    /* The state before anything was read. For an LSTM it also shows what the gates did at
       the last character, under the names of helpers/gates.py. */
    start() {
      const zeros = () => new Float64Array(this.H);
      if (this.cell !== "lstm") return { h: zeros() };
      const fields = ["input", "forget", "cell", "output", "c", "h"];
      return Object.fromEntries(fields.map((field) => [field, zeros()]));
    }

    /* Read one character: the state is changed, the logits (V,) of the next are returned.
       Throws a RangeError for an id that is not in the vocabulary. */
    step(state, id) {
      const { H, sums, table } = this;
      this.check(id);
      if (this.cell === "gru") {
        affine(sums, this.innerBias, 0, this.recurrent, state.h, H);
        this.#gru(state.h, sums, table, id * 3 * H);
      } else {
        affine(sums, table, id * sums.length, this.recurrent, state.h, H);
        if (this.cell === "rnn") for (let j = 0; j < H; j++) state.h[j] = Math.tanh(sums[j]);
        else this.#lstm(state, sums);
      }
      const logits = new Float64Array(this.V);
      affine(logits, this.outBias, 0, this.outWeight, state.h, H);
      return logits;
    }

    #lstm(state, sums) {
      const { H } = this;
      for (let j = 0; j < H; j++) {
        const i = sigmoid(sums[j]);
        const f = sigmoid(sums[H + j]);
        const g = Math.tanh(sums[2 * H + j]);
        const o = sigmoid(sums[3 * H + j]);
        const c = f * state.c[j] + i * g;
        state.input[j] = i;
        state.forget[j] = f;
        state.cell[j] = g;
        state.output[j] = o;
        state.c[j] = c;
        state.h[j] = o * Math.tanh(c);
      }
    }

    #gru(h, fromH, table, offset) {
      const { H } = this;
      for (let j = 0; j < H; j++) {
        const r = sigmoid(table[offset + j] + fromH[j]);
        const z = sigmoid(table[offset + H + j] + fromH[H + j]);
        const n = Math.tanh(table[offset + 2 * H + j] + r * fromH[2 * H + j]);
        h[j] = (1 - z) * n + z * h[j];
      }
    }
  }

  for (const cell of Object.keys(GATES)) classes[cell] = Model;

  class UnknownCharacters extends Error {
    constructor(unknown, characters, known) {
      const first = characters.indexOf(unknown[0]) + 1;
      super(`the model does not know ${unknown.join(" ")} (the first at place ${first})`);
      this.unknown = unknown;
      this.known = known;
      this.first = first;
    }
  }

  return { Model, Network, UnknownCharacters, affine, classes, load };
});
