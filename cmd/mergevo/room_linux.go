package main

import "syscall"

// limits are the process's own limits on memory, as ulimit sets them.
func limits() (out []processLimit) {
	for which, used := range map[int]string{syscall.RLIMIT_DATA: "VmData", syscall.RLIMIT_AS: "VmSize"} {
		var l syscall.Rlimit
		if err := syscall.Getrlimit(which, &l); err == nil && l.Cur < 1<<62 {
			out = append(out, processLimit{int64(l.Cur), used})
		}
	}
	return out
}
