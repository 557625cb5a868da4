//go:build ignore

// Where a task vector is cut: exact selection by radix, as mergevo's rules have it. Of
// equal magnitudes the one of lower index comes first.
#include <stdint.h>
#include <string.h>

enum { LINEAR, TASK, TIES, CRUMBS, METHODS };

typedef struct { uint64_t n, at, count[2]; int file[3]; uint64_t off[3]; } tensor;

enum {
	BLOCK = 2048,             // elements at a time: their magnitudes stay in the first cache
	PIECE = 128 * BLOCK,      // elements written at a time
	HIGH = 1 << 16, LOW = 1 << 15, // bins by the 16 high and the 15 low bits of a magnitude
	LANES = 4                 // histograms of each, so that equal neighbours need not wait
};

static int method;

static inline float widen(uint16_t b) { uint32_t u = (uint32_t)b << 16; float f; memcpy(&f, &u, 4); return f; }
static inline uint16_t narrow(float f) { uint32_t u; memcpy(&u, &f, 4); return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16); }

// magnitudes are the bits of |x - b|, 0 for subnormals: they order as the values do.
static void magnitudes(const uint16_t *restrict x, const uint16_t *restrict b, int32_t *restrict m, int n) {
	for (int i = 0; i < n; i++) {
		float d = widen(x[i]) - widen(b[i]);
		int32_t u; memcpy(&u, &d, 4);
		u &= 0x7fffffff;
		m[i] = u < 0x00800000 ? 0 : u;
	}
}

// A cut is a place in the order of magnitudes: what is smaller lies below it, and of
// the entries that equal mag the first `take`, for ties above it, else below it.
typedef struct { int32_t mag; uint64_t take; int bin; uint64_t pos, before; } cut;

typedef struct {
	uint32_t high[2][LANES][HIGH];
	uint32_t low[2][2][LOW]; // by model and cut
	int32_t m[2][BLOCK];
	uint16_t y[PIECE];
} scratch;

// locate finds the bin of the cut's position, and how many entries lie before it.
static int locate(const uint32_t *hist, uint64_t pos, uint64_t *before) {
	int v = 0;
	while (*before + hist[v] <= pos) *before += hist[v++];
	return v;
}

static void count_high(uint32_t h[LANES][HIGH], const int32_t *m, int n) {
	int i = 0;
	for (; i + LANES <= n; i += LANES)
		for (int k = 0; k < LANES; k++) h[k][m[i + k] >> 15]++;
	for (; i < n; i++) h[0][m[i] >> 15]++;
}

// count_low counts the low bits of what is in either bin, which few entries are.
static void count_low(uint32_t low[2][LOW], const int32_t *m, int n, int bin0, int bin1) {
	for (int i = 0; i < n; i += 16) {
		int end = n - i < 16 ? n : i + 16, any = 0;
		for (int j = i; j < end; j++) any |= (m[j] >> 15 == bin0) | (m[j] >> 15 == bin1);
		if (!any) continue;
		for (int j = i; j < end; j++) {
			if (m[j] >> 15 == bin0) low[0][m[j] & (LOW - 1)]++;
			if (m[j] >> 15 == bin1) low[1][m[j] & (LOW - 1)]++;
		}
	}
}

// select_cuts finds the cuts of both models by radix: a pass that counts high bits, a
// pass that counts low bits of the cuts' bins.
static void select_cuts(const tensor *t, const uint16_t *const p[3], cut c[2][2], scratch *s) {
	int cuts = method == TIES ? 1 : 2, passes = 0;
	for (int k = 0; k < 2; k++)
		for (int j = 0; j < 2; j++) {
			uint64_t count = t->count[j];
			c[k][j] = (cut){.mag = -1, .bin = -1};
			if (j >= cuts) continue;
			if (method == TIES ? count == 0 : count >= t->n) c[k][j].mag = INT32_MAX;
			if (count == 0 || count >= t->n) continue;
			c[k][j].pos = method == TIES ? t->n - count : count - 1;
			c[k][j].bin = 0;
			passes = 1;
		}
	if (!passes) return;
	memset(s->high, 0, sizeof s->high);
	for (uint64_t at = 0; at < t->n; at += BLOCK) {
		int n = t->n - at < BLOCK ? (int)(t->n - at) : BLOCK;
		for (int k = 0; k < 2; k++) {
			magnitudes(p[k + 1] + at, p[0] + at, s->m[k], n);
			count_high(s->high[k], s->m[k], n);
		}
	}
	passes = 0;
	int seek[2][2] = {{-1, -1}, {-1, -1}}; // the bins of the second pass
	for (int k = 0; k < 2; k++) {
		uint32_t *h = s->high[k][0];
		for (int l = 1; l < LANES; l++)
			for (int v = 0; v < HIGH; v++) h[v] += s->high[k][l][v];
		for (int j = 0; j < cuts; j++) {
			if (c[k][j].bin < 0) continue;
			c[k][j].bin = locate(h, c[k][j].pos, &c[k][j].before);
			if (c[k][j].bin > 0) { seek[k][j] = c[k][j].bin; passes = 1; } // all of bin 0 is 0
		}
	}
	memset(s->low, 0, sizeof s->low);
	for (uint64_t at = 0; passes && at < t->n; at += BLOCK) {
		int n = t->n - at < BLOCK ? (int)(t->n - at) : BLOCK;
		for (int k = 0; k < 2; k++) {
			if (seek[k][0] < 0 && seek[k][1] < 0) continue;
			magnitudes(p[k + 1] + at, p[0] + at, s->m[k], n);
			count_low(s->low[k], s->m[k], n, seek[k][0], seek[k][1]);
		}
	}
	for (int k = 0; k < 2; k++)
		for (int j = 0; j < cuts; j++) {
			cut *x = &c[k][j];
			if (x->bin < 0) continue;
			uint64_t equal = s->high[k][0][0];
			x->mag = 0;
			if (x->bin > 0) {
				int v = locate(s->low[k][j], x->pos, &x->before);
				x->mag = x->bin << 15 | v;
				equal = s->low[k][j][v];
			}
			x->take = method == TIES ? t->count[j] - (t->n - x->before - equal) : t->count[j] - x->before;
		}
}

// reach returns how many of the next n entries have their equals of the cut among
// those that it takes, and takes them.
static int reach(cut *c, const int32_t *m, int n) {
	if (c->take == 0) return 0;
	uint64_t equal = 0;
	for (int i = 0; i < n; i++) equal += m[i] == c->mag;
	if (equal <= c->take) { c->take -= equal; return n; }
	for (int i = 0;; i++)
		if (m[i] == c->mag && --c->take == 0) return i + 1;
}
