"use strict";
/* Products and sums of matrices that lie row by row in flat arrays, as fast as plain JavaScript
   computes them. */
charbook.define("matrices", [], () => {
  // Numbers of a row that are multiplied before the next rows: they stay in the cache.
  const PART = 256;

  /* out (M, N) += a (M, K) times the transpose of b (N, K).

     Both run along their rows, which lie aStep and bStep apart. Three rows of a meet four of
     b at a time: each number fetched is used more than once, and twelve sums, as many as a
     processor has registers for, do not wait for each other. So a batch of a multiple of
     three is the quickest. Sums are made in 64 bits, whatever the arrays hold. */
  function addProduct(out, M, N, K, a, aStep, b, bStep) {
    const inThrees = M - (M % 3);
    const inFours = N - (N % 4);
    for (let from = 0; from < K; from += PART) {
      const to = Math.min(from + PART, K);
      for (let n = 0; n < inFours; n += 4) {
        const b0 = n * bStep, b1 = b0 + bStep, b2 = b1 + bStep, b3 = b2 + bStep;
        for (let m = 0; m < inThrees; m += 3) {
          const a0 = m * aStep, a1 = a0 + aStep, a2 = a1 + aStep;
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
          for (let k = from; k < to; k++) s += a[m * aStep + k] * b[n * bStep + k];
          out[m * N + n] += s;
        }
    }
  }

  /* a (M, N) -> out (N, M) */
  function transpose(out, M, N, a) {
    for (let m = 0; m < M; m++) for (let n = 0; n < N; n++) out[n * M + m] = a[m * N + n];
  }

  /* out (N,) += the sum of the rows of a (M, N) */
  function addRows(out, M, N, a) {
    for (let m = 0; m < M; m++) for (let n = 0; n < N; n++) out[n] += a[m * N + n];
  }

  return { addProduct, addRows, transpose };
});
