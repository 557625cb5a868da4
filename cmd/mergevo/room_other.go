//go:build !linux

package main

func limits() []processLimit { return nil }
