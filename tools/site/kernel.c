/* The arithmetic of the page's trainer for WebAssembly with vectors of four float32.

   `python -m tools.site.kernel` compiles it into extra/_static/playground/kernel.js; simd.js calls
   it. Matrices lie row by row, every array begins at a multiple of 16 bytes, and H is a multiple
   of four. */

typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef int i4 __attribute__((vector_size(16)));
typedef unsigned short id;

#define EXPORT(name) __attribute__((export_name(#name))) void name
#define INLINE static inline __attribute__((always_inline))
#define AT(address) (*(v4 *)(address))

INLINE v4 all(float x) { return (v4){x, x, x, x}; }

/* ------------------------------------------------------------------ products */

/* A tile of ROWS x COLUMNS sums fills twelve of the sixteen registers that x86-64 has. PART numbers
   of a row are multiplied before the next tile, so that what is read again stays in the cache. */
enum { ROWS = 6, COLUMNS = 8, PART = 256 };

/* b (K, N), its rows and columns so far apart -> panels of COLUMNS columns, zeros beyond N. */
EXPORT(pack)(float *to, const float *b, int K, int N, int rowStep, int columnStep) {
  for (int n = 0; n < N; n += COLUMNS)
    for (int k = 0; k < K; k++)
      for (int j = n; j < n + COLUMNS; j++)
        *to++ = j < N ? b[k * rowStep + j * columnStep] : 0;
}

/* out (rows, columns) of an (, N) += a (rows, K) times a panel (K, COLUMNS). */
INLINE void tile(float *out, int N, int rows, int columns, int K,
                 const float *a, int rowStep, int columnStep, const float *panel) {
  v4 sums[ROWS][2] = {};
  const float *row[ROWS];
#pragma unroll
  for (int m = 0; m < ROWS; m++) row[m] = a + (m < rows ? m : 0) * rowStep;
#pragma unroll 4
  for (int k = 0; k < K; k++) {
    v4 left = AT(panel + k * COLUMNS), right = AT(panel + k * COLUMNS + 4);
#pragma unroll
    for (int m = 0; m < ROWS; m++) {
      v4 x = all(row[m][k * columnStep]);
      sums[m][0] += x * left;
      sums[m][1] += x * right;
    }
  }
  if (rows == ROWS && columns == COLUMNS) {
#pragma unroll
    for (int m = 0; m < ROWS; m++) {
      AT(out + m * N) += sums[m][0];
      AT(out + m * N + 4) += sums[m][1];
    }
    return;
  }
  float copy[ROWS][COLUMNS]; // of the sums, which would lie in memory if an index chose among them
#pragma unroll
  for (int m = 0; m < ROWS; m++) {
    AT(copy[m]) = sums[m][0];
    AT(copy[m] + 4) = sums[m][1];
  }
  for (int m = 0; m < rows; m++)
    for (int n = 0; n < columns; n++) out[m * N + n] += copy[m][n];
}

/* out (M, N) += a (M, K) times what `pack` made of b (K, N); a `turned` lies as (K, M). */
EXPORT(product)(float *out, int M, int N, int K, const float *a, int turned, const float *b) {
  static float strip[PART][ROWS]; // of a turned a: its rows lie too far apart for the cache
  for (int from = 0; from < K; from += PART) {
    int part = K - from < PART ? K - from : PART;
    for (int m = 0; m < M; m += ROWS) {
      int rows = M - m < ROWS ? M - m : ROWS;
      if (turned)
        for (int k = 0; k < part; k++)
          for (int r = 0; r < rows; r++) strip[k][r] = a[(from + k) * M + m + r];
      for (int n = 0; n < N; n += COLUMNS) {
        int columns = N - n < COLUMNS ? N - n : COLUMNS;
        float *to = out + m * N + n;
        const float *panel = b + n * K + from * COLUMNS;
        if (turned) tile(to, N, rows, columns, part, strip[0], 1, ROWS, panel);
        else tile(to, N, rows, columns, part, a + m * K + from, K, 1, panel);
      }
    }
  }
}

/* ------------------------------------------------------------------ rows of a table */

/* to (N, width): for each id a row of the table. */
EXPORT(fetch)(float *to, const float *table, const id *ids, int N, int width) {
  for (int n = 0; n < N; n++)
    for (int k = 0; k < width; k += 4) AT(to + n * width + k) = AT(table + ids[n] * width + k);
}

/* The way back: each row of `from` is added to its id's row of the table. */
EXPORT(scatter)(float *table, const float *from, const id *ids, int N, int width) {
  for (int n = 0; n < N; n++)
    for (int k = 0; k < width; k += 4) AT(table + ids[n] * width + k) += AT(from + n * width + k);
}

/* ------------------------------------------------------------------ activations */

/* e to the power x, to 1e-7 of it: 2^n times e^r with |r| <= ln 2 / 2, r's power as a Taylor
   polynomial. What lies outside float32's range ends near its borders. NaN stays NaN. */
INLINE v4 power(v4 x) {
  x = __builtin_wasm_max_f32x4(__builtin_wasm_min_f32x4(x, all(88)), all(-87));
  v4 n = __builtin_wasm_nearest_f32x4(x * all(1.44269504f));
  v4 r = x - n * all(0.693359375f) + n * all(2.12194440e-4f); // ln 2 in two parts
  v4 p = all(1.f / 5040);
  p = p * r + all(1.f / 720);
  p = p * r + all(1.f / 120);
  p = p * r + all(1.f / 24);
  p = p * r + all(1.f / 6);
  p = p * r + all(0.5f);
  p = p * r * r + r + all(1);
  i4 exponent = (__builtin_convertvector(n, i4) + 127) << 23;
  return p * (v4)exponent;
}

INLINE v4 sigmoid(v4 x) { return all(1) / (all(1) + power(-x)); }
INLINE v4 hyperbolic(v4 x) { return all(1) - all(2) / (all(1) + power(x + x)); } // tanh

/* One step of B windows: sums of the gates (B, 4H) become what the activations make of them;
   c_before -> c, tanh(c) and h, each (B, H). */
EXPORT(activate)(float *gates, const float *before, float *c, float *tanh_c, float *h, int B, int H) {
  for (int b = 0; b < B; b++, gates += 4 * H)
    for (int j = 0; j < H; j += 4, before += 4, c += 4, tanh_c += 4, h += 4) {
      float *at = gates + j;
      v4 i = AT(at) = sigmoid(AT(at)), f = AT(at + H) = sigmoid(AT(at + H));
      v4 g = AT(at + 2 * H) = hyperbolic(AT(at + 2 * H)), o = AT(at + 3 * H) = sigmoid(AT(at + 3 * H));
      v4 t = AT(tanh_c) = hyperbolic(AT(c) = f * AT(before) + i * g);
      AT(h) = o * t;
    }
}

/* Back through it: from the gradients in h and c after the step to those in the sums (B, 4H)
   and, in their place, in c before it. */
EXPORT(activateBack)(float *d_sums, const float *d_h, float *d_c, const float *gates,
                     const float *before, const float *tanh_c, int B, int H) {
  for (int b = 0; b < B; b++, gates += 4 * H, d_sums += 4 * H)
    for (int j = 0; j < H; j += 4, d_h += 4, d_c += 4, before += 4, tanh_c += 4) {
      const float *at = gates + j;
      float *to = d_sums + j;
      v4 i = AT(at), f = AT(at + H), g = AT(at + 2 * H), o = AT(at + 3 * H);
      v4 t = AT(tanh_c), d = AT(d_c) + AT(d_h) * o * (all(1) - t * t); // h = o * tanh(c)
      AT(to) = d * g * (i - i * i); // c = f * before + i * g
      AT(to + H) = d * AT(before) * (f - f * f);
      AT(to + 2 * H) = d * i * (all(1) - g * g);
      AT(to + 3 * H) = AT(d_h) * t * (o - o * o);
      AT(d_c) = d * f;
    }
}

/* ------------------------------------------------------------------ loss and update */

/* logits (N, V) -> their powers, divided by N times a row's sum; the sums (N,) apart. */
EXPORT(softmax)(float *logits, float *highest, float *sums, int N, int V) {
  for (int n = 0; n < N; n++, logits += V) {
    float most = logits[0], sum = 0;
    for (int k = 1; k < V; k++) if (logits[k] > most) most = logits[k];
    for (int k = 0; k < V; k += 4) {
      int some = V - k < 4 ? V - k : 4;
      v4 four = all(most);
      for (int j = 0; j < some; j++) four[j] = logits[k + j];
      four = power(four - all(most));
      for (int j = 0; j < some; j++) sum += logits[k + j] = four[j];
    }
    for (int k = 0; k < V; k++) logits[k] /= sum * N;
    highest[n] = most;
    sums[n] = sum;
  }
}

/* Adam's step for `count` weights, the corrections of its means in `step` and `root`. */
EXPORT(adam)(float *weights, const float *grads, float *mean, float *square, int count, float beta1,
             float beta2, float step, float root, float tiny) {
  for (int k = 0; k < count; k += 4) {
    v4 grad = AT(grads + k);
    v4 m = AT(mean + k) += all(1 - beta1) * (grad - AT(mean + k));
    v4 s = AT(square + k) = all(beta2) * AT(square + k) + all(1 - beta2) * grad * grad;
    AT(weights + k) -= all(step) * m / (__builtin_elementwise_sqrt(s) / all(root) + all(tiny));
  }
}
