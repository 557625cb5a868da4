package merge

// SetGroupBytes changes how much is merged in one call, and returns what sets it back.
func SetGroupBytes(n int) (restore func()) {
	was := groupBytes
	groupBytes = n
	return func() { groupBytes = was }
}
