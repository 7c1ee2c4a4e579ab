"use strict";
/* The arithmetic of learner.js as fast as plain JavaScript computes it, for browsers that have no
   vectors; simd.js has the same functions. Matrices lie row by row in flat arrays. */
charbook.define("plain", [], () => {
  // Numbers of a row that are multiplied before the next rows: they stay in the cache.
  const PART = 256;

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const tanh = (x) => 1 - 2 / (1 + Math.exp(2 * x)); // a third of Math.tanh's time

  /* a (M, N) -> out (N, M) */
  function transpose(out, M, N, a) {
    for (let m = 0; m < M; m++) for (let n = 0; n < N; n++) out[n * M + m] = a[m * N + n];
    return out;
  }

  /* out (M, N) += a (M, K) times the transpose of b (N, K).

     Three rows of a meet four of b at a time: each number fetched is used more than once, and
     twelve sums, as many as a processor has registers for, do not wait for each other. So a
     batch of a multiple of three is the quickest. Sums are made in 64 bits. */
  function addRowProducts(out, M, N, K, a, b) {
    const inThrees = M - (M % 3);
    const inFours = N - (N % 4);
    for (let from = 0; from < K; from += PART) {
      const to = Math.min(from + PART, K);
      for (let n = 0; n < inFours; n += 4) {
        const b0 = n * K, b1 = b0 + K, b2 = b1 + K, b3 = b2 + K;
        for (let m = 0; m < inThrees; m += 3) {
          const a0 = m * K, a1 = a0 + K, a2 = a1 + K;
          let s00 = 0, s01 = 0, s02 = 0, s03 = 0;
          let s10 = 0, s11 = 0, s12 = 0, s13 = 0;
          let s20 = 0, s21 = 0, s22 = 0, s23 = 0;
          for (let k = from; k < to; k++) {
            const x0 = a[a0 + k], x1 = a[a1 + k], x2 = a[a2 + k];
            const y0 = b[b0 + k];
            s00 += x0 * y0; s10 += x1 * y0; s20 += x2 * y0;
            const y1 = b[b1 + k];
            s01 += x0 * y1; s11 += x1 * y1; s21 += x2 * y1;
            const y2 = b[b2 + k];
            s02 += x0 * y2; s12 += x1 * y2; s22 += x2 * y2;
            const y3 = b[b3 + k];
            s03 += x0 * y3; s13 += x1 * y3; s23 += x2 * y3;
          }
          const o0 = m * N + n, o1 = o0 + N, o2 = o1 + N;
          out[o0] += s00; out[o0 + 1] += s01; out[o0 + 2] += s02; out[o0 + 3] += s03;
          out[o1] += s10; out[o1 + 1] += s11; out[o1 + 2] += s12; out[o1 + 3] += s13;
          out[o2] += s20; out[o2 + 1] += s21; out[o2 + 2] += s22; out[o2 + 3] += s23;
        }
      }
      // What is left over: up to two rows of a, and up to three of b.
      for (let m = 0; m < M; m++)
        for (let n = m < inThrees ? inFours : 0; n < N; n++) {
          let s = 0;
          for (let k = from; k < to; k++) s += a[m * K + k] * b[n * K + k];
          out[m * N + n] += s;
        }
    }
  }

  let turnedLeft = new Float32Array(0); // a buffer for product()

  const functions = {
    /* What product() takes for b (K, N); if `turned`, b lies as (N, K). `buffer` has
       packedSize(K, N) numbers and may be used or not. */
    pack: (buffer, b, K, N, turned) => (turned ? b : transpose(buffer, K, N, b)),
    packedSize: (K, N) => K * N,

    /* out (M, N) += a (M, K) times b (K, N), which was packed; if `turned`, a lies as (K, M). */
    product(out, M, N, K, a, turned, packed) {
      if (turned) {
        if (turnedLeft.length < M * K) turnedLeft = new Float32Array(M * K);
        a = transpose(turnedLeft, K, M, a);
      }
      addRowProducts(out, M, N, K, a, packed);
    },

    /* to (N, width): for each id a row of the table. */
    fetch(to, table, ids, N, width) {
      for (let n = 0, k = 0; n < N; n++)
        for (let r = ids[n] * width; r < (ids[n] + 1) * width; r++, k++) to[k] = table[r];
    },

    /* The way back: each row of `from` is added to its id's row of the table. */
    scatter(table, from, ids, N, width) {
      for (let n = 0, k = 0; n < N; n++)
        for (let r = ids[n] * width; r < (ids[n] + 1) * width; r++, k++) table[r] += from[k];
    },

    /* One step of B windows: sums of the gates (B, 4H) become what the activations make of them;
       c before -> c, tanh(c) and h, each (B, H). */
    activate(gates, before, c, tanhC, h, B, H) {
      for (let b = 0; b < B; b++) {
        for (let j = 0, k = b * H, at = b * 4 * H; j < H; j++, k++, at++) {
          const i = sigmoid(gates[at]);
          const f = sigmoid(gates[at + H]);
          const g = tanh(gates[at + 2 * H]);
          const o = sigmoid(gates[at + 3 * H]);
          const after = f * before[k] + i * g;
          const t = tanh(after);
          gates[at] = i;
          gates[at + H] = f;
          gates[at + 2 * H] = g;
          gates[at + 3 * H] = o;
          c[k] = after;
          tanhC[k] = t;
          h[k] = o * t;
        }
      }
    },

    /* Back through it: from the gradients in h and c after the step to those in the sums (B, 4H)
       and, in their place, in c before it. */
    activateBack(dSums, dH, dC, gates, before, tanhC, B, H) {
      for (let b = 0; b < B; b++) {
        for (let j = 0, k = b * H, at = b * 4 * H; j < H; j++, k++, at++) {
          const i = gates[at], f = gates[at + H], g = gates[at + 2 * H], o = gates[at + 3 * H];
          const t = tanhC[k];
          const dc = dC[k] + dH[k] * o * (1 - t * t); // h = o * tanh(c)
          // c = f * before + i * g; a sigmoid a has the derivative a - a * a, tanh 1 - a * a
          dSums[at] = dc * g * (i - i * i);
          dSums[at + H] = dc * before[k] * (f - f * f);
          dSums[at + 2 * H] = dc * i * (1 - g * g);
          dSums[at + 3 * H] = dH[k] * t * (o - o * o);
          dC[k] = dc * f;
        }
      }
    },

    /* logits (N, V) -> their powers, divided by N times a row's sum; apart each row's highest
       logit, and the sum of the powers of what lies below it (N,). */
    softmax(logits, highest, sums, N, V) {
      for (let n = 0; n < N; n++) {
        const from = n * V, to = from + V;
        let most = -Infinity, sum = 0;
        for (let k = from; k < to; k++) if (logits[k] > most) most = logits[k];
        for (let k = from; k < to; k++) sum += logits[k] = Math.exp(logits[k] - most);
        for (let k = from; k < to; k++) logits[k] /= sum * N;
        highest[n] = most;
        sums[n] = sum;
      }
    },

    /* Adam's step for `count` weights, the corrections of its means in `step` and `root`. */
    adam(weights, grads, mean, square, count, beta1, beta2, step, root, tiny) {
      for (let k = 0; k < count; k++) {
        const grad = grads[k];
        const m = (mean[k] += (1 - beta1) * (grad - mean[k]));
        const s = (square[k] = beta2 * square[k] + (1 - beta2) * grad * grad);
        weights[k] -= (step * m) / (Math.sqrt(s) / root + tiny);
      }
    },
  };

  /* The functions, and the arrays that they work on: {name: length} of float32, {name: length} of
     ids -> {name: array}, all zero. */
  function plain() {
    const arrays = (floats, ids) => {
      const made = {};
      for (const name in floats) made[name] = new Float32Array(floats[name]);
      for (const name in ids) made[name] = new Uint16Array(ids[name]);
      return made;
    };
    return { vectors: false, arrays, ...functions };
  }

  return { plain };
});
