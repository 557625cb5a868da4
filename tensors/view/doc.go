// Package view shows a checkpoint through another: tensors under other names
// ([Rename], [Alias]), with other rows ([Rows]), with units in another order
// ([Permute]), or with an adapter added ([Adapter.On]).
//
// A view is a [tensors.Source] made of other Sources, so views stack: an adapter
// on a renamed checkpoint is one more Source, and what reads it cannot tell.
// Making a view checks names, shapes and types, which are in headers, and reads
// no numbers. These are computed when they are asked for, a piece at a time, and
// the piece alone is kept in memory. A view is not a copy: reading twice computes
// twice, closing a checkpoint underneath ends every view of it, and nothing is
// ever written.
//
// Numbers are computed in float32 and rounded once to the stored type of the
// tensor; how the reader cuts the range changes no bit. Methods of a view may be
// called from several goroutines.
package view
