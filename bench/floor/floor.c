// The floor under a merge of bfloat16 models: what C does with the same bytes and
// the same arithmetic, f32 throughout, rounded once. Not part of the product.
//
// usage: floor METHOD THREADS PLAN OUT
// METHOD is linear, task_arithmetic, ties or breadcrumbs. PLAN has a line a tensor:
// elements, then for the output its offset, and for base, first and second model the
// file's number and the byte offset; the lines before it name the files, "F path".
// Weights are 0.5 and 0.3, densities 0.5, gamma 0.01, as in bench/merge.
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct { uint64_t n, out; int file[3]; uint64_t off[3]; } tensor;
typedef struct { uint32_t mag, last; } cut; // a magnitude, and the last index of it inside

static tensor *plan;
static int tensors;
static const uint8_t *files[256];
static int out_fd, method; // 0 linear, 1 task arithmetic, 2 ties, 3 breadcrumbs
static int next_tensor;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const float W[2] = {0.5f, 0.3f};

static inline float f32(uint16_t b) { uint32_t u = (uint32_t)b << 16; float f; memcpy(&f, &u, 4); return f; }
static inline uint16_t bf16(float f) { uint32_t u; memcpy(&u, &f, 4); return (uint16_t)((u + 0x7fff + ((u >> 16) & 1)) >> 16); }
static inline uint32_t mag(uint16_t x, uint16_t b) {
	float d = f32(x) - f32(b); uint32_t u; memcpy(&u, &d, 4); u &= 0x7fffffff;
	return u < 0x00800000 ? 0 : u;
}

// select_cuts finds, for two counts at once, the cut of the `count` smallest entries,
// or with top of the `count` largest; ties go to the lowest index. By radix: 16 high
// bits, then the 15 low ones of the two bins, then a scan for the index.
static void select_cuts(const uint16_t *x, const uint16_t *b, uint64_t n, int top, const uint64_t *count, cut *c, uint32_t *hist) {
	memset(hist, 0, (1 << 16) * 4 * 2);
	uint32_t *h2 = hist + (1 << 16);
	uint64_t i = 0;
	for (; i + 1 < n; i += 2) { hist[mag(x[i], b[i]) >> 15]++; h2[mag(x[i + 1], b[i + 1]) >> 15]++; }
	for (; i < n; i++) hist[mag(x[i], b[i]) >> 15]++;
	for (int k = 0; k < 1 << 16; k++) hist[k] += h2[k];
	uint32_t bin[2]; uint64_t before[2], pos[2];
	for (int k = 0; k < 2; k++) {
		pos[k] = top ? n - count[k] : count[k] - 1;
		uint64_t s = 0; uint32_t v = 0;
		while (s + hist[v] <= pos[k]) s += hist[v++];
		bin[k] = v; before[k] = s;
	}
	uint32_t *low = hist; // reused: two tables of 2^15
	memset(low, 0, (1 << 16) * 4);
	for (i = 0; i < n; i++) {
		uint32_t m = mag(x[i], b[i]), h = m >> 15;
		if (h == bin[0]) low[m & 32767]++;
		if (h == bin[1]) low[32768 + (m & 32767)]++;
	}
	uint64_t take[2];
	for (int k = 0; k < 2; k++) {
		uint64_t s = before[k]; uint32_t v = 0;
		while (s + low[k * 32768 + v] <= pos[k]) s += low[k * 32768 + v++];
		c[k].mag = bin[k] << 15 | v;
		take[k] = top ? count[k] - (n - s - low[k * 32768 + v]) : count[k] - s;
	}
	for (i = 0; i < n && (take[0] || take[1]); i++) {
		uint32_t m = mag(x[i], b[i]);
		for (int k = 0; k < 2; k++)
			if (m == c[k].mag && take[k] && --take[k] == 0) c[k].last = (uint32_t)i;
	}
}

static inline int below(cut c, uint32_t m, uint32_t i) { return m < c.mag || (m == c.mag && i <= c.last); }

static void one(const tensor *t, uint16_t *y, uint32_t *hist) {
	const uint16_t *p[3];
	for (int k = 0; k < 3; k++) p[k] = (const uint16_t *)(files[t->file[k]] + t->off[k]);
	cut c[2][2]; // of each model: breadcrumbs' low and high cut, ties' cut twice
	uint64_t n = t->n, kept = (uint64_t)(0.5 * (double)n), top = (uint64_t)(0.01 * (double)n);
	for (int k = 0; k < 2 && method >= 2; k++) {
		uint64_t lo = n - kept - top, want = kept ? kept : 1;
		uint64_t count[2] = {method == 2 ? want : lo, method == 2 ? want : lo + kept};
		select_cuts(p[k + 1], p[0], n, method == 2, count, c[k], hist);
	}
	const uint64_t piece = 1 << 18;
	for (uint64_t at = 0; at < n; at += piece) {
		uint64_t m = n - at < piece ? n - at : piece;
		const uint16_t *b = p[0] + at, *u = p[1] + at, *v = p[2] + at;
		switch (method) {
		case 0:
			for (uint64_t i = 0; i < m; i++) y[i] = bf16(W[0] / 0.8f * f32(u[i]) + W[1] / 0.8f * f32(v[i]));
			break;
		case 1:
			for (uint64_t i = 0; i < m; i++) y[i] = bf16(f32(b[i]) + (W[0] * (f32(u[i]) - f32(b[i])) + W[1] * (f32(v[i]) - f32(b[i]))));
			break;
		case 2:
			for (uint64_t i = 0; i < m; i++) {
				float B = f32(b[i]), d[2] = {f32(u[i]) - B, f32(v[i]) - B}, s = 0, mix = 0, div = 0, D[2];
				for (int k = 0; k < 2; k++) {
					uint32_t g = mag(k ? v[i] : u[i], b[i]);
					int keep = g > c[k][0].mag || (g == c[k][0].mag && at + i <= c[k][0].last);
					D[k] = keep ? W[k] * d[k] : 0; s += D[k];
				}
				for (int k = 0; k < 2; k++)
					if (s >= 0 ? D[k] > 0 : D[k] < 0) { mix += D[k]; div += W[k]; }
				y[i] = bf16(B + mix / (div == 0 ? 1 : div));
			}
			break;
		case 3:
			for (uint64_t i = 0; i < m; i++) {
				float B = f32(b[i]), s = 0;
				for (int k = 0; k < 2; k++) {
					uint16_t x = k ? v[i] : u[i]; uint32_t g = mag(x, b[i]);
					if (below(c[k][1], g, at + i) && !below(c[k][0], g, at + i)) s += W[k] * (f32(x) - B);
				}
				y[i] = bf16(B + s);
			}
		}
		if (pwrite(out_fd, y, m * 2, (off_t)(t->out + at * 2)) != (ssize_t)(m * 2)) { perror("pwrite"); exit(1); }
	}
}

static void *work(void *_) {
	(void)_;
	uint16_t *y = malloc((1 << 18) * 2);
	uint32_t *hist = malloc((1 << 17) * 4);
	for (;;) {
		pthread_mutex_lock(&lock); int i = next_tensor++; pthread_mutex_unlock(&lock);
		if (i >= tensors) return NULL;
		one(&plan[i], y, hist);
	}
}

int main(int argc, char **argv) {
	static const char *names[] = {"linear", "task_arithmetic", "ties", "breadcrumbs"};
	if (argc != 5) { fprintf(stderr, "usage: floor METHOD THREADS PLAN OUT\n"); return 2; }
	for (method = 0; method < 4 && strcmp(names[method], argv[1]); method++) {}
	if (method == 4) { fprintf(stderr, "no method %s\n", argv[1]); return 2; }
	FILE *f = fopen(argv[3], "r");
	if (!f) { perror(argv[3]); return 1; }
	char line[4096]; int nf = 0, room = 0; uint64_t size = 0;
	while (fgets(line, sizeof line, f)) {
		if (line[0] == 'F') {
			line[strcspn(line, "\n")] = 0;
			int fd = open(line + 2, O_RDONLY); struct stat s;
			if (fd < 0 || fstat(fd, &s) || nf == 256) { perror(line + 2); return 1; }
			files[nf++] = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_SHARED, fd, 0);
			continue;
		}
		if (tensors == room) plan = realloc(plan, (size_t)(room = room ? 2 * room : 256) * sizeof *plan);
		tensor *t = &plan[tensors++];
		unsigned long long v[8];
		if (sscanf(line, "%llu %llu %llu %llu %llu %llu %llu %llu", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7) != 8) { fprintf(stderr, "bad line: %s", line); return 1; }
		t->n = v[0]; t->out = v[1];
		for (int k = 0; k < 3; k++) { t->file[k] = (int)v[2 + 2 * k]; t->off[k] = v[3 + 2 * k]; }
		if (t->out + 2 * t->n > size) size = t->out + 2 * t->n;
	}
	out_fd = open(argv[4], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (out_fd < 0 || ftruncate(out_fd, (off_t)size)) { perror(argv[4]); return 1; }
	int threads = atoi(argv[2]); pthread_t id[64];
	for (int i = 0; i < threads && i < 64; i++) pthread_create(&id[i], NULL, work, NULL);
	for (int i = 0; i < threads && i < 64; i++) pthread_join(id[i], NULL);
	return close(out_fd) ? 1 : 0;
}
