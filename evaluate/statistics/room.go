package statistics

import "github.com/mergevo/mergevo/tensors"

// How many times its size a sum takes while a step is added to it: itself, what comes of it,
// what is added, and what XLA makes on the way; measured of layers 1,280 wide.
const (
	fisherTimes = 7
	gramTimes   = 5
)

// mostParts bounds the parts of a measurement, about: each goes through all examples.
const mostParts = 8

// left is the room that sums have on the device: beside the weights, which a backward pass
// has in another order, too, and what is finished of the sums. 0 is room for all.
func (n *Network) left(room int64, sums []tensors.Info) int64 {
	if room == 0 {
		return 0
	}
	return max(1, room-2*bytesOf(n.model.Tensors)-bytesOf(sums))
}

// parts are where sums begin that are added to one after another, so that none takes more
// than there is room for by times its size, if it can be. Each begins at a multiple of step;
// 0 is room for all.
func parts(sums []tensors.Info, step int, times, room int64) []int {
	if room == 0 {
		return []int{0}
	}
	most := max(room/times, bytesOf(sums)/mostParts)
	begins, sum := []int{0}, int64(0)
	for i := 0; i < len(sums); i += step {
		size := bytesOf(sums[i:min(i+step, len(sums))])
		if sum > 0 && sum+size > most {
			begins, sum = append(begins, i), 0
		}
		sum += size
	}
	return begins
}

// bytesOf is what tensors take in float32.
func bytesOf(list []tensors.Info) (n int64) {
	for _, t := range list {
		n += 4 * int64(t.Len())
	}
	return n
}
