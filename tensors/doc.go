// Package tensors reads and writes named tensors, whatever they are on disk.
//
// [Open] maps a checkpoint (one .safetensors file, a folder, or a set of
// shards with its index) and checks its headers, and nothing but its headers,
// so that opening costs the same for a megabyte and for a hundred gigabytes.
// Numbers are then read as float32 with [Checkpoint.ReadAt] or as stored bytes
// with [Checkpoint.Raw]. [Create] writes a checkpoint whose layout is known in
// advance, in any order; it appears under its final name in one step, at
// [Writer.Commit], or not at all.
//
// A malformed file is always an error, a [*FormatError] that names the file,
// the byte, the tensor and what to do; it is never a panic.
//
// The module also uses gomlx, which has a package of the same name: import
// that one as gmlx.
package tensors
