// Package xla picks the backend that graphs run on, and installs the XLA plugin
// where there is none.
//
// Importing it also settles how matrix products and libraries behave for the
// whole program: go-xla never downloads anything by itself.
package xla
