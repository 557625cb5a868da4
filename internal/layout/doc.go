// Package layout holds the direction of imports, which is that of the data: from
// tensors through merges and evaluation to runs and commands, never back.
package layout
