//go:build linux && cgo

package xla

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static void keep_large_blocks(void) {
#ifdef __GLIBC__
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, 0x7fffffff);
#endif
}
*/
import "C"

// keepLargeBlocks tells glibc to reuse freed blocks of any size. By default it maps
// blocks over 32 MiB anew each time, and XLA on a CPU asks for one a call: ten
// thousand page faults a generation, which took a quarter of its CPU time.
func keepLargeBlocks() { C.keep_large_blocks() }
