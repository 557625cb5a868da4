package recipes

import "testing"

func TestBehind(t *testing.T) {
	for _, c := range [][3]string{
		{"weight[a]", "layers.0-9", "weight[a].layers.0-9"},
		{"weight[a].layers", "layers.0-9", "weight[a].layers.0-9"},
		{"weight[a].encoder.", "layer.0-1", "weight[a].encoder.layer.0-1"},
		{"weight[a].mlp", "layers.3", "weight[a].mlp.layers.3"},
		{"weight[a].players", "layers.3", "weight[a].players.layers.3"},
	} {
		if got := behind(c[0], c[1]); got != c[2] {
			t.Errorf("behind(%q, %q) = %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
