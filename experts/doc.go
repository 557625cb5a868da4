// Package experts makes a mixture of experts of dense models of one size: attention,
// norms and embeddings of one, the feed-forward layers of several side by side, and
// gates that choose among them.
package experts
