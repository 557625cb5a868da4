#include "textflag.h"

// func subtractBrainsAVX2(dst *float32, x, b *byte, n int) (largest uint32)
//
// Sixteen differences a round: bfloat16 is the high half of a float32.
TEXT ·subtractBrainsAVX2(SB), NOSPLIT, $0-36
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ n+24(FP), CX
	VPCMPEQD Y7, Y7, Y7
	VPSRLD $1, Y7, Y6  // 0x7fffffff, all but the sign
	VPSRLD $9, Y7, Y7  // 0x007fffff, the largest subnormal
	VPXOR Y8, Y8, Y8   // the largest so far

round:
	VPMOVZXWD (SI), Y0
	VPMOVZXWD 16(SI), Y1
	VPMOVZXWD (DX), Y2
	VPMOVZXWD 16(DX), Y3
	VPSLLD $16, Y0, Y0
	VPSLLD $16, Y1, Y1
	VPSLLD $16, Y2, Y2
	VPSLLD $16, Y3, Y3
	VSUBPS Y2, Y0, Y0
	VSUBPS Y3, Y1, Y1
	VPAND Y6, Y0, Y0
	VPAND Y6, Y1, Y1
	VPCMPGTD Y7, Y0, Y2
	VPCMPGTD Y7, Y1, Y3
	VPAND Y2, Y0, Y0
	VPAND Y3, Y1, Y1
	VPMAXUD Y0, Y8, Y8
	VPMAXUD Y1, Y8, Y8
	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	ADDQ $32, SI
	ADDQ $32, DX
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ round

	VEXTRACTI128 $1, Y8, X0
	VPMAXUD X0, X8, X8
	VPSHUFD $0x4e, X8, X0
	VPMAXUD X0, X8, X8
	VPSHUFD $0xb1, X8, X0
	VPMAXUD X0, X8, X8
	VMOVD X8, AX
	MOVL AX, largest+32(FP)
	VZEROUPPER
	RET

// func scanAVX2(mag *float32, n int, low, last uint32, in *uint64) (below int)
//
// Eight magnitudes a round, one bit each.
TEXT ·scanAVX2(SB), NOSPLIT, $0-40
	MOVQ mag+0(FP), SI
	MOVQ n+8(FP), CX
	MOVL low+16(FP), AX
	VMOVD AX, X6
	VPBROADCASTD X6, Y6
	MOVL last+20(FP), AX
	VMOVD AX, X7
	VPBROADCASTD X7, Y7
	MOVQ in+24(FP), DI
	VPXOR Y8, Y8, Y8  // counts of those below

scan:
	VMOVDQU (SI), Y0
	VPCMPGTD Y0, Y6, Y1
	VPSUBD Y1, Y8, Y8
	VPSUBD Y6, Y0, Y2
	VPMAXUD Y2, Y7, Y3
	VPCMPEQD Y3, Y7, Y3  // unsigned: at most last above low
	VMOVMSKPS Y3, AX
	MOVB AX, (DI)
	ADDQ $32, SI
	INCQ DI
	SUBQ $8, CX
	JNZ scan

	VEXTRACTI128 $1, Y8, X0
	VPADDD X0, X8, X8
	VPSHUFD $0x4e, X8, X0
	VPADDD X0, X8, X8
	VPSHUFD $0xb1, X8, X0
	VPADDD X0, X8, X8
	VMOVD X8, AX
	MOVQ AX, below+32(FP)
	VZEROUPPER
	RET

// MIX hashes eight words in place: mix32, with its factors in Y10 and Y11.
#define MIX(x, t) \
	VPSRLD $16, x, t \
	VPXOR t, x, x \
	VPMULLD Y10, x, x \
	VPSRLD $15, x, t \
	VPXOR t, x, x \
	VPMULLD Y11, x, x \
	VPSRLD $16, x, t \
	VPXOR t, x, x

DATA lanes<>+0(SB)/8, $0x0000000100000000
DATA lanes<>+8(SB)/8, $0x0000000300000002
DATA lanes<>+16(SB)/8, $0x0000000500000004
DATA lanes<>+24(SB)/8, $0x0000000700000006
GLOBL lanes<>(SB), RODATA|NOPTR, $32

// func noiseAVX2(dst *uint32, n int, key0, key1, index uint32)
//
// Sixteen a round, in two halves that do not wait for each other.
TEXT ·noiseAVX2(SB), NOSPLIT, $0-28
	MOVQ dst+0(FP), DI
	MOVQ n+8(FP), CX
	MOVL key0+16(FP), AX
	VMOVD AX, X6
	VPBROADCASTD X6, Y6
	MOVL key1+20(FP), AX
	VMOVD AX, X7
	VPBROADCASTD X7, Y7
	MOVL index+24(FP), AX
	VMOVD AX, X8
	VPBROADCASTD X8, Y8
	VPADDD lanes<>(SB), Y8, Y8  // the indices of the first half
	MOVL $8, AX
	VMOVD AX, X9
	VPBROADCASTD X9, Y9
	MOVL $0x7feb352d, AX
	VMOVD AX, X10
	VPBROADCASTD X10, Y10
	MOVL $0x846ca68b, AX
	VMOVD AX, X11
	VPBROADCASTD X11, Y11

noise:
	VPXOR Y6, Y8, Y0
	VPADDD Y9, Y8, Y8
	VPXOR Y6, Y8, Y1
	VPADDD Y9, Y8, Y8
	MIX(Y0, Y2)
	MIX(Y1, Y3)
	VPADDD Y7, Y0, Y0
	VPADDD Y7, Y1, Y1
	MIX(Y0, Y2)
	MIX(Y1, Y3)
	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ noise
	VZEROUPPER
	RET
