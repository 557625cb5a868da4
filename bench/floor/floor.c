//go:build ignore

// The floor under a merge of two bfloat16 models and their base: what C takes for the
// same bits. float32 throughout, rounded once. Tensors are shared out to threads.
//
// usage: floor THREADS PLAN OUT
//
// PLAN is text, in this order:
//
//	method linear|task_arithmetic|ties|breadcrumbs
//	weights A B
//	file PATH                  (each input file, numbered from 0)
//	tensor N AT C0 C1 F O F O F O
//
// A tensor has N elements and begins at byte AT of the output; in the base and in each
// model it lies in file F from byte O on. ties keeps the C0 entries of largest |d|,
// breadcrumbs those from the C0th to before the C1th by rising |d|; of equals the one
// of lower index comes first. OUT is the tensors alone, without a header.
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cuts.h"

static const char *const names[METHODS] = {"linear", "task_arithmetic", "ties", "breadcrumbs"};

static int out, tensors;
static float weight[2];
static tensor *plan;
static uint8_t **files;
static int next; // tensor to be taken
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void fail(const char *what) { fprintf(stderr, "floor: %s: %s\n", what, strerror(errno)); exit(1); }

// XLA fuses the first of two products into their sum where the processor can, and so
// does this: the bits are the same. gomlx's own backend fuses nothing.
static inline float product_plus(float a, float b, float c) {
#ifdef __FMA__
	return fmaf(a, b, c);
#else
	return a * b + c;
#endif
}

// The merges of n entries. An entry is kept if lo < m <= hi.
typedef struct { int32_t lo[2], hi[2]; } bounds;

static void linear(const uint16_t *restrict u, const uint16_t *restrict v, uint16_t *restrict y, int n) {
	float p = weight[0], q = weight[1];
	for (int i = 0; i < n; i++) y[i] = narrow(product_plus(p, widen(u[i]), q * widen(v[i])));
}

static void task(const uint16_t *restrict b, const uint16_t *restrict u, const uint16_t *restrict v, uint16_t *restrict y, int n) {
	float p = weight[0], q = weight[1];
	for (int i = 0; i < n; i++) {
		float B = widen(b[i]);
		y[i] = narrow(B + product_plus(p, widen(u[i]) - B, q * (widen(v[i]) - B)));
	}
}

static void ties(const uint16_t *restrict b, const uint16_t *restrict u, const uint16_t *restrict v, const int32_t *restrict mu, const int32_t *restrict mv, bounds t, uint16_t *restrict y, int n) {
	float p = weight[0], q = weight[1];
	for (int i = 0; i < n; i++) {
		float B = widen(b[i]), U = p * (widen(u[i]) - B), V = q * (widen(v[i]) - B);
		U = mu[i] > t.lo[0] ? U : 0;
		V = mv[i] > t.lo[1] ? V : 0;
		// Turned so that the elected sign is plus: s >= 0 decides, and -0 counts as 0.
		float turn = U + V >= 0 ? 1.0f : -1.0f, x = turn * U, z = turn * V;
		float sum = (x > 0 ? U : 0) + (z > 0 ? V : 0), div = (x > 0 ? p : 0) + (z > 0 ? q : 0);
		y[i] = narrow(B + sum / (div == 0 ? 1 : div));
	}
}

static void crumbs(const uint16_t *restrict b, const uint16_t *restrict u, const uint16_t *restrict v, const int32_t *restrict mu, const int32_t *restrict mv, bounds t, uint16_t *restrict y, int n) {
	float p = weight[0], q = weight[1];
	for (int i = 0; i < n; i++) {
		float B = widen(b[i]), U = p * (widen(u[i]) - B), V = q * (widen(v[i]) - B);
		U = (mu[i] > t.lo[0]) & (mu[i] <= t.hi[0]) ? U : 0;
		V = (mv[i] > t.lo[1]) & (mv[i] <= t.hi[1]) ? V : 0;
		y[i] = narrow(B + (U + V));
	}
}

// masked merges a block, in pieces where a cut lies within it.
static void masked(const uint16_t *b, const uint16_t *u, const uint16_t *v, cut c[2][2], scratch *s, uint16_t *y, int n) {
	magnitudes(u, b, s->m[0], n);
	magnitudes(v, b, s->m[1], n);
	int in[2][2];
	for (int k = 0; k < 2; k++)
		for (int j = 0; j < 2; j++) in[k][j] = reach(&c[k][j], s->m[k], n);
	for (int at = 0, end; at < n; at = end) {
		bounds t;
		end = n;
		for (int k = 0; k < 2; k++) {
			int inside[2];
			for (int j = 0; j < 2; j++) {
				inside[j] = in[k][j] > at;
				if (inside[j] && in[k][j] < end) end = in[k][j];
			}
			t.lo[k] = c[k][0].mag - (method == TIES ? inside[0] : !inside[0]);
			t.hi[k] = c[k][1].mag - !inside[1];
		}
		(method == TIES ? ties : crumbs)(b + at, u + at, v + at, s->m[0] + at, s->m[1] + at, t, y + at, end - at);
	}
}

static void write_all(const void *data, size_t n, off_t at) {
	for (const char *p = data; n > 0;) {
		ssize_t k = pwrite(out, p, n, at);
		if (k < 0 && errno == EINTR) continue;
		if (k <= 0) fail("writing the output");
		p += k; n -= (size_t)k; at += k;
	}
}

static void merge(const tensor *t, scratch *s) {
	const uint16_t *p[3];
	for (int k = 0; k < 3; k++) p[k] = (const uint16_t *)(files[t->file[k]] + t->off[k]);
	cut c[2][2];
	if (method >= TIES) select_cuts(t, p, c, s);
	for (uint64_t from = 0; from < t->n; from += PIECE) {
		int all = t->n - from < PIECE ? (int)(t->n - from) : PIECE;
		for (int at = 0; at < all; at += BLOCK) {
			int n = all - at < BLOCK ? all - at : BLOCK;
			const uint16_t *b = p[0] + from + at, *u = p[1] + from + at, *v = p[2] + from + at;
			uint16_t *y = s->y + at;
			switch (method) {
			case LINEAR: linear(u, v, y, n); break;
			case TASK: task(b, u, v, y, n); break;
			default: masked(b, u, v, c, s, y, n);
			}
		}
		write_all(s->y, (size_t)all * 2, (off_t)(t->at + from * 2));
	}
}

static void *work(void *unused) {
	scratch *s = malloc(sizeof *s);
	if (!s) fail("memory");
	for (;;) {
		pthread_mutex_lock(&lock);
		int i = next++;
		pthread_mutex_unlock(&lock);
		if (i >= tensors) break;
		merge(&plan[i], s);
	}
	free(s);
	return unused;
}

static int larger(const void *a, const void *b) {
	const tensor *x = a, *y = b;
	return (x->n < y->n) - (x->n > y->n);
}

// read_plan returns the bytes of the output.
static uint64_t read_plan(const char *path) {
	FILE *f = fopen(path, "r");
	if (!f) fail(path);
	char line[8192], name[64];
	int number = 0, nfiles = 0;
	uint64_t size = 0;
	method = METHODS;
	while (fgets(line, sizeof line, f)) {
		tensor t;
		number++;
		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, "method %63s", name) == 1) {
			for (method = 0; method < METHODS && strcmp(names[method], name); method++) {}
		} else if (!strncmp(line, "file ", 5)) {
			int fd = open(line + 5, O_RDONLY);
			struct stat st;
			if (fd < 0 || fstat(fd, &st)) fail(line + 5);
			void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
			files = realloc(files, (size_t)(nfiles + 1) * sizeof *files);
			if (p == MAP_FAILED || !files) fail(line + 5);
			files[nfiles++] = p;
			close(fd);
		} else if (sscanf(line, "tensor %lu %lu %lu %lu %d %lu %d %lu %d %lu", &t.n, &t.at, &t.count[0], &t.count[1],
			&t.file[0], &t.off[0], &t.file[1], &t.off[1], &t.file[2], &t.off[2]) == 10 &&
			(unsigned)t.file[0] < (unsigned)nfiles && (unsigned)t.file[1] < (unsigned)nfiles && (unsigned)t.file[2] < (unsigned)nfiles) {
			if (tensors % 256 == 0 && !(plan = realloc(plan, (size_t)(tensors + 256) * sizeof *plan))) fail("memory");
			plan[tensors++] = t;
			if (t.at + 2 * t.n > size) size = t.at + 2 * t.n;
		} else if (sscanf(line, "weights %f %f", &weight[0], &weight[1]) != 2) {
			fprintf(stderr, "floor: %s:%d: not a line of a plan: %s\n", path, number, line);
			exit(2);
		}
	}
	fclose(f);
	if (method == METHODS) { fprintf(stderr, "floor: %s: no method that is known here\n", path); exit(2); }
	if (tensors) qsort(plan, (size_t)tensors, sizeof *plan, larger); // the largest first, so that threads end together
	return size;
}

int main(int argc, char **argv) {
	int threads = argc == 4 ? atoi(argv[1]) : 0;
	if (threads < 1 || threads > 256) { fprintf(stderr, "usage: floor THREADS PLAN OUT\n"); return 2; }
	uint64_t size = read_plan(argv[2]);
	out = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (out < 0 || ftruncate(out, (off_t)size)) fail(argv[3]);
	pthread_t id[256];
	for (int i = 0; i < threads; i++)
		if ((errno = pthread_create(&id[i], NULL, work, NULL))) fail("starting a thread");
	for (int i = 0; i < threads; i++) pthread_join(id[i], NULL);
	if (close(out)) fail(argv[3]);
	return 0;
}
