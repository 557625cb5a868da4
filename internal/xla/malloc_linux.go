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

static void return_blocks(void) {
#ifdef __GLIBC__
	mallopt(M_MMAP_MAX, 65536);
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	mallopt(M_TRIM_THRESHOLD, 1 << 20);
	malloc_trim(0);
#endif
}
*/
import "C"

// keepLargeBlocks tells glibc to reuse freed blocks of any size. By default it maps
// blocks over 32 MiB anew each time, and XLA on a CPU asks for one a call: ten
// thousand page faults a generation, which took a quarter of its CPU time.
func keepLargeBlocks() { C.keep_large_blocks() }

// ReturnBlocks tells glibc to give freed blocks of a mebibyte and more back to the system
// at once, for who has little memory and rather waits.
func ReturnBlocks() { C.return_blocks() }
