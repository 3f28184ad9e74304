// The words of genjax.random in C, bit for bit, as streams on stdout and under tests of our own at 2^32 words.
//
//   randomness write STREAM SEED [WORDS]    raw little-endian words, without end if WORDS is left out
//   randomness TEST STREAM SEED WORDS       TEST: collision birthday birthday64 serial rectangle lines rank sums
//
// Streams, shaped as a Gibbs sampler of a 784-500 machine with 1000 chains asks for them:
//   rows     the two layers of one sweep after another, each matrix row by row (chain by chain)
//   columns  the same, each matrix column by column (unit by unit)
//   sweeps   one (chain, unit) over 65536 sweeps, then the next of 16 such cells, then the next 65536 sweeps
//   keys     16 words from each of the keys that jax.random.split gives
//   counter  planted to fail: lowbias32 (Wellons, 2018) of a 32-bit counter, a permutation of the 32-bit words
//
// Compiled with -DPRELOAD -shared, it is a library that feeds dieharder -g 200 from within (LD_PRELOAD, STREAM, SEED).
#define _GNU_SOURCE
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef uint32_t u32;
typedef uint64_t u64;
typedef struct { u32 x, y; } pair;

// ---------------------------------------------------------------- the generator

static inline u32 rotate(u32 x, int s) { return x << s | x >> (32 - s); }

static inline pair threefry(pair key, u32 c0, u32 c1) {  // Salmon et al., 2011: Threefry-2x32, 20 rounds
  const int by[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  const u32 k[3] = {key.x, key.y, key.x ^ key.y ^ 0x1BD11BDA};
  u32 x = c0 + k[0], y = c1 + k[1];
#pragma GCC unroll 20
  for (int r = 0; r < 20; r++) {
    x += y, y = rotate(y, by[r % 8]) ^ x;
    if (r % 4 == 3) x += k[(r / 4 + 1) % 3], y += k[(r / 4 + 2) % 3] + r / 4 + 1;
  }
  return (pair){x, y};
}

static inline pair fold_in(pair key, u32 n) { return threefry(key, 0, n); }  // and split(key)[n]
static inline u32 bits(pair key, u32 n) { pair p = threefry(key, 0, n); return p.x ^ p.y; }

static inline u32 mix(pair chain, pair unit) {
  u32 x = chain.x + unit.x, y = (chain.y ^ unit.y) | 1;
  x = x * y;
  x = (x ^ x >> 16 ^ y) * y;
  x = (x ^ x >> 15) * 0x846CA68B;
  return x ^ x >> 16;
}

static void words(pair key, int chains, int units, u32 *out) {  // row by row
  static pair unit[1024];
  pair rows = {bits(key, 0), bits(key, 1)}, columns = {bits(key, 2), bits(key, 3)};
  for (int j = 0; j < units; j++) unit[j] = fold_in(columns, j);
  for (int i = 0; i < chains; i++, out += units) {
    pair chain = fold_in(rows, i);
    for (int j = 0; j < units; j++) out[j] = mix(chain, unit[j]);
  }
}

// ---------------------------------------------------------------- the streams

enum { CHAINS = 1000, VISIBLE = 784, HIDDEN = 500, SWEEPS = 65536, CELLS = 4, BATCH = 1024, BLOCK = 1 << 20 };
static u32 block[BLOCK], matrix[BLOCK];  // the words at hand, and room to transpose from
static pair root;
static u32 step;  // blocks made so far
static const char *stream;

static int layer(u32 *out, u32 n) {  // the n-th layer drawn; its number of units
  int units = n % 2 ? HIDDEN : VISIBLE;
  words(fold_in(fold_in(root, n / 2), n % 2), CHAINS, units, out);
  return units;
}

static u32 cell[CELLS * CELLS][BATCH];

static void corners(u32 first, int folds) {  // the first CELLS x CELLS words of BATCH keys, all keys at a time
  static pair key[BATCH], rows[BATCH], columns[BATCH], chain[CELLS][BATCH], unit[CELLS][BATCH];
  for (int k = 0; k < BATCH; k++) key[k] = fold_in(root, first + k);
  if (folds > 1) for (int k = 0; k < BATCH; k++) key[k] = fold_in(key[k], 0);
  for (int k = 0; k < BATCH; k++) rows[k] = (pair){bits(key[k], 0), bits(key[k], 1)};
  for (int k = 0; k < BATCH; k++) columns[k] = (pair){bits(key[k], 2), bits(key[k], 3)};
  for (int i = 0; i < CELLS; i++) {
    for (int k = 0; k < BATCH; k++) chain[i][k] = fold_in(rows[k], i);
    for (int k = 0; k < BATCH; k++) unit[i][k] = fold_in(columns[k], i);
  }
  for (int c = 0; c < CELLS * CELLS; c++)
    for (int k = 0; k < BATCH; k++) cell[c][k] = mix(chain[c / CELLS][k], unit[c % CELLS][k]);
}

static int fill(void) {  // the next block of the stream; its number of words
  u32 n = step++;
  if (!strcmp(stream, "rows")) return CHAINS * layer(block, n);
  if (!strcmp(stream, "columns")) {
    int units = layer(matrix, n);
    for (int j = 0; j < units; j++)
      for (int i = 0; i < CHAINS; i++) block[j * CHAINS + i] = matrix[i * units + j];
    return CHAINS * units;
  }
  if (!strcmp(stream, "sweeps")) {
    for (int t = 0; t < SWEEPS; t += BATCH) {
      corners(n * SWEEPS + t, 2);
      for (int c = 0; c < CELLS * CELLS; c++) memcpy(block + c * SWEEPS + t, cell[c], sizeof cell[c]);
    }
    return CELLS * CELLS * SWEEPS;
  }
  if (!strcmp(stream, "keys")) {
    corners(n * BATCH, 1);
    for (int k = 0; k < BATCH; k++)
      for (int c = 0; c < CELLS * CELLS; c++) block[k * CELLS * CELLS + c] = cell[c][k];
    return CELLS * CELLS * BATCH;
  }
  if (!strcmp(stream, "counter")) {
    for (u32 k = 0; k < BLOCK; k++) {
      u32 x = (n * BLOCK + k) ^ root.y;
      x = (x ^ x >> 16) * 0x7FEB352D, x = (x ^ x >> 15) * 0x846CA68B;
      block[k] = x ^ x >> 16;
    }
    return BLOCK;
  }
  fprintf(stderr, "unknown stream %s\n", stream);
  exit(2);
}

static int left;
static u32 *at;
static inline u32 next(void) {
  if (!left) left = fill(), at = block;
  left--;
  return *at++;
}

// ---------------------------------------------------------------- p-values

static double upper(double z) { return erfc(z / sqrt(2)) / 2; }  // P(normal > z)

static void report(const char *what, double z) {  // both tails count
  printf("%-34s z %+10.2f   p %.3g\n", what, z, 2 * upper(fabs(z)));
}

static double normal(double x, double k) {  // chi-square with k degrees of freedom to normal: Wilson and Hilferty, 1931
  return (cbrt(x / k) - 1 + 2 / (9 * k)) / sqrt(2 / (9 * k));
}

static double evenness(const u32 *count, size_t cells) {  // Pearson's chi-square against equal cells
  double n = 0, x = 0;
  for (size_t c = 0; c < cells; c++) n += count[c];
  for (size_t c = 0; c < cells; c++) x += pow(count[c] - n / cells, 2) / (n / cells);
  return normal(x, cells - 1);
}

static void *zeros(size_t n, size_t size) {
  const size_t page = 1 << 21, bytes = (n * size + page - 1) & ~(page - 1);
  void *p = aligned_alloc(page, bytes);
  if (!p) perror("aligned_alloc"), exit(1);
  madvise(p, bytes, MADV_HUGEPAGE);  // the tests reach at random: large pages halve their time
  return memset(p, 0, bytes);
}

// ---------------------------------------------------------------- tests on a stream

static void collision(u64 n) {  // balls into 2^32 urns (Knuth 3.3.2 I): urns left empty, against the normal law
  const double urns = 4294967296.0;
  u64 *seen = zeros(1 << 26, 8), full = 0;
  for (u64 i = 0; i < n; i++) {
    u32 w = next();
    full += ~seen[w >> 6] >> (w & 63) & 1;
    seen[w >> 6] |= 1ull << (w & 63);
  }
  double a = n / urns, mean = urns * exp(-a) - a * exp(-a) / 2;
  double deviation = sqrt(urns * (exp(-a) - (1 + a) * exp(-2 * a)));
  report("collision, 32 bits", (urns - full - mean) / deviation);
  free(seen);
}

static void sort(u64 *x, u64 *room, size_t n, int bytes) {  // radix sort; bytes is even, so that x holds the result
  for (int b = 0; b < bytes; b++) {
    size_t start[257] = {0};
    for (size_t i = 0; i < n; i++) start[(x[i] >> 8 * b & 255) + 1]++;
    for (int v = 0; v < 256; v++) start[v + 1] += start[v];
    for (size_t i = 0; i < n; i++) room[start[x[i] >> 8 * b & 255]++] = x[i];
    u64 *swap = x; x = room, room = swap;
  }
}

// Marsaglia's birthday spacings: m days a batch, counting the spacings (around the circle) that repeat an earlier one.
// Poisson, with the triples' share taken off the mean: L'Ecuyer and Simard, 2001, on how far the plain mean holds.
static void birthdays(u64 n, int bytes, size_t m) {
  u64 *day = zeros(m, 8), *gap = zeros(m, 8), *room = zeros(m, 8), mask = bytes == 8 ? ~0ull : 0xFFFFFFFF;
  double year = ldexp(1, 8 * bytes), mean = m * pow(m - 1, 2) / (4 * year) - pow(m, 5) / (18 * year * year);
  u64 batches = n / (m * (bytes / 4)), total = 0;
  u32 seen[16] = {0};
  for (u64 b = 0; b < batches; b++) {
    for (size_t i = 0; i < m; i++) day[i] = next();
    if (bytes == 8) for (size_t i = 0; i < m; i++) day[i] = day[i] << 32 | next();
    sort(day, room, m, bytes);
    for (size_t i = 0; i < m; i++) gap[i] = (i + 1 < m ? day[i + 1] - day[i] : day[0] - day[i]) & mask;
    sort(gap, room, m, bytes);
    int repeats = 0;
    for (size_t i = 1; i < m; i++) repeats += gap[i] == gap[i - 1];
    total += repeats;
    seen[repeats < 15 ? repeats : 15]++;
  }
  char what[64];
  snprintf(what, 64, "birthday spacings, %d bits, total", 8 * bytes);
  report(what, (total - batches * mean) / sqrt(batches * mean));
  double x = 0, law = exp(-mean), tail = batches, others = batches;
  int k = 0;
  for (; k < 15 && batches * law > 10 && tail - batches * law > 10; law *= mean / ++k)
    x += pow(seen[k] - batches * law, 2) / (batches * law), tail -= batches * law, others -= seen[k];
  x += pow(others - tail, 2) / tail;
  snprintf(what, 64, "birthday spacings, %d bits, law", 8 * bytes);
  if (k > 1) report(what, normal(x, k));
  free(day), free(gap), free(room);
}

static void serial(u64 n) {  // 2^24 cells of (word, next word): 12 leading bits of each, 12 trailing bits, and across
  u32 *high = zeros(1 << 24, 4), *low = zeros(1 << 24, 4), *cross = zeros(1 << 24, 4);
  for (u64 i = 0; i + 1 < n; i += 2) {
    u32 w = next(), v = next();
    high[w >> 20 << 12 | v >> 20]++;
    low[(w & 4095) << 12 | (v & 4095)]++;
    cross[w >> 20 << 12 | (v & 4095)]++;
  }
  report("serial pairs, upper 12 bits", evenness(high, 1 << 24));
  report("serial pairs, lower 12 bits", evenness(low, 1 << 24));
  report("serial pairs, upper with lower", evenness(cross, 1 << 24));
  free(high), free(low), free(cross);
}

// ---------------------------------------------------------------- tests on the matrices themselves

static void rectangle(u64 n) {  // the four corners of a rectangle: together, their xor, their alternating sum
  u32 *high = zeros(1 << 24, 4), *low = zeros(1 << 24, 4), *xors = zeros(1 << 24, 4), *tail = zeros(1 << 24, 4);
  u32 *sums = zeros(1 << 24, 4);
  double bit[32] = {0}, count = 0;
  for (u64 made = 0; made < n;) {
    int units = layer(matrix, step++);
    made += (u64)CHAINS * units;
    for (int i = 0; i < CHAINS; i += 2)
      for (int j = 0; j < units; j += 2, count++) {
        const u32 *top = matrix + i * units + j, *under = top + units;
        u32 p = top[0], q = top[1], r = under[0], s = under[1], x = p ^ q ^ r ^ s;
        high[p >> 26 << 18 | q >> 26 << 12 | r >> 26 << 6 | s >> 26]++;
        low[(p & 63) << 18 | (q & 63) << 12 | (r & 63) << 6 | (s & 63)]++;
        xors[x >> 8]++, tail[x & 0xFFFFFF]++, sums[(p - q - r + s) >> 8]++;
        for (int b = 0; b < 32; b++) bit[b] += x >> b & 1;
      }
  }
  report("rectangle corners, upper 6 bits", evenness(high, 1 << 24));
  report("rectangle corners, lower 6 bits", evenness(low, 1 << 24));
  report("rectangle xor, upper 24 bits", evenness(xors, 1 << 24));
  report("rectangle xor, lower 24 bits", evenness(tail, 1 << 24));
  report("rectangle sum, upper 24 bits", evenness(sums, 1 << 24));
  double x = 0;
  for (int b = 0; b < 32; b++) x += pow(bit[b] - count / 2, 2) / (count / 4);
  report("rectangle xor, each bit", normal(x, 32));
  free(high), free(low), free(xors), free(tail), free(sums);
}

enum { WIDE = 512, LIMBS = WIDE / 64, TESTED = 4 };
static const int tested[TESTED] = {31, 20, 8, 0};

static void one_bit(u64 plane[WIDE][LIMBS], int bit) {  // of the first WIDE chains and visible units
  memset(plane, 0, sizeof *plane * WIDE);
  for (int i = 0; i < WIDE; i++)
    for (int j = 0; j < WIDE; j++) plane[i][j / 64] |= (u64)(matrix[i * VISIBLE + j] >> bit & 1) << j % 64;
}

static void lines(u64 n) {  // every two of 512 rows: how many of 512 columns differ in a bit
  static u64 plane[WIDE][LIMBS];
  double mean[TESTED] = {0}, square[TESTED] = {0}, fourth[TESTED] = {0}, count = 0, v = WIDE / 4.;
  for (u64 made = 0; made < n; made += (u64)CHAINS * VISIBLE, step++) {
    layer(matrix, step * 2);
    for (int b = 0; b < TESTED; b++) {
      one_bit(plane, tested[b]);
      for (int i = 0; i < WIDE; i++)
        for (int k = 0; k < i; k++) {
          int differ = -WIDE / 2;
          for (int l = 0; l < LIMBS; l++) differ += __builtin_popcountll(plane[i][l] ^ plane[k][l]);
          double s = differ * differ;
          mean[b] += differ, square[b] += s, fourth[b] += s * s;
        }
    }
    count += WIDE * (WIDE - 1) / 2.;
  }
  for (int b = 0; b < TESTED; b++) {
    char what[64];
    snprintf(what, 64, "two rows, bit %d, mean", tested[b]);
    report(what, mean[b] / sqrt(count * v));
    snprintf(what, 64, "two rows, bit %d, variance", tested[b]);
    report(what, (square[b] / count - v) / (v * sqrt((2 - 2. / WIDE) / count)));
    snprintf(what, 64, "two rows, bit %d, fourth moment", tested[b]);
    report(what, (fourth[b] / count - 3 * v * v + v / 2) / (v * v * sqrt(96 / count)));
  }
}

// The ones of each bit over a unit's 1000 chains, and over a chain's 784 units: their variance.
static void sums(u64 n) {
  static u32 of_unit[32][VISIBLE];
  double units[32] = {0}, chains[32] = {0}, matrices = 0, u = 0, c = 0;
  for (u64 made = 0; made < n; made += (u64)CHAINS * VISIBLE, step++, matrices++) {
    layer(matrix, step * 2);
    memset(of_unit, 0, sizeof of_unit);
    for (int i = 0; i < CHAINS; i++)
      for (int b = 0; b < 32; b++) {
        u32 of_chain = 0;
        for (int j = 0; j < VISIBLE; j++) {
          u32 one = matrix[i * VISIBLE + j] >> b & 1;
          of_unit[b][j] += one, of_chain += one;
        }
        chains[b] += pow(of_chain - VISIBLE / 2., 2) / (VISIBLE / 4.) - 1;
      }
    for (int b = 0; b < 32; b++)
      for (int j = 0; j < VISIBLE; j++) units[b] += pow(of_unit[b][j] - CHAINS / 2., 2) / (CHAINS / 4.) - 1;
  }
  for (int b = 0; b < 32; b++) {
    u += pow(units[b], 2) / (2 * matrices * VISIBLE);
    c += pow(chains[b], 2) / (2 * matrices * CHAINS);
  }
  report("sums over a unit's chains, 32 bits", normal(u, 32));
  report("sums over a chain's units, 32 bits", normal(c, 32));
}

static void rank(u64 n) {  // of the 512 by 512 matrix of one bit over GF(2): 0, 1 or more below full
  static u64 plane[WIDE][LIMBS];
  const double law[3] = {0.2887880951, 0.5775761902, 0.1336357147};
  double seen[TESTED][3] = {{0}}, count = 0;
  for (u64 made = 0; made < n; made += (u64)CHAINS * VISIBLE, step++, count++) {
    layer(matrix, step * 2);
    for (int b = 0; b < TESTED; b++) {
      one_bit(plane, tested[b]);
      int full = 0;
      for (int c = 0; c < WIDE; c++) {
        int pivot = full;
        while (pivot < WIDE && !(plane[pivot][c / 64] >> c % 64 & 1)) pivot++;
        if (pivot == WIDE) continue;
        for (int l = 0; l < LIMBS; l++) {
          u64 swap = plane[pivot][l];
          plane[pivot][l] = plane[full][l], plane[full][l] = swap;
        }
        for (int i = pivot + 1; i < WIDE; i++)
          if (plane[i][c / 64] >> c % 64 & 1)
            for (int l = 0; l < LIMBS; l++) plane[i][l] ^= plane[full][l];
        full++;
      }
      seen[b][WIDE - full < 2 ? WIDE - full : 2]++;
    }
  }
  for (int b = 0; b < TESTED; b++) {
    double x = 0;
    for (int k = 0; k < 3; k++) x += pow(seen[b][k] - count * law[k], 2) / (count * law[k]);
    printf("rank of bit %-2d %-19s x %10.2f   p %.3g\n", tested[b], "", x, exp(-x / 2));
  }
}

#ifdef PRELOAD  // dieharder's generator 200 is this instead of a pipe, which costs it more than most of its tests
typedef struct {
  const char *name;
  unsigned long max, min;
  size_t size;
  void (*set)(void *, unsigned long);
  unsigned long (*get)(void *);
  double (*get_double)(void *);
} gsl_rng_type;
static void set(void *state, unsigned long seed) {
  if (!stream) stream = getenv("STREAM"), root = (pair){0, strtoul(getenv("SEED"), 0, 0)};
}
static unsigned long get(void *state) { return next(); }
static double get_double(void *state) { return next() / 4294967295.0; }
static const gsl_rng_type type = {"stdin_input_raw", 0xFFFFFFFF, 0, 8, set, get, get_double};
const gsl_rng_type *gsl_rng_stdin_input_raw = &type;
#else
int main(int arguments, char **argument) {
  if (arguments < 4) return fprintf(stderr, "usage: randomness TEST STREAM SEED [WORDS]\n"), 2;
  const char *test = argument[1];
  stream = argument[2], root = (pair){0, strtoul(argument[3], 0, 0)};  // jax.random.key(seed)
  u64 n = arguments > 4 ? strtoull(argument[4], 0, 0) : ~0ull;
  if (!strcmp(test, "write"))
    for (u64 made = 0; made < n;) {
      u64 size = fill();
      if (size > n - made) size = n - made;
      if (fwrite(block, 4, size, stdout) < size) return 1;
      made += size;
    }
  else if (!strcmp(test, "collision")) collision(n);
  else if (!strcmp(test, "birthday")) birthdays(n, 4, 2048);
  else if (!strcmp(test, "birthday64")) birthdays(n, 8, 1 << 23);
  else if (!strcmp(test, "serial")) serial(n);
  else if (!strcmp(test, "rectangle")) rectangle(n);
  else if (!strcmp(test, "lines")) lines(n);
  else if (!strcmp(test, "rank")) rank(n);
  else if (!strcmp(test, "sums")) sums(n);
  else return fprintf(stderr, "unknown test %s\n", test), 2;
  return 0;
}
#endif
