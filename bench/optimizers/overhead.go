package main

import (
	"context"
	"errors"
	"io"
)

func measureOverhead(ctx context.Context, t task, out io.Writer) error {
	return errors.New("not yet")
}
