// Package models holds the forward graphs that candidates are scored with, one
// family a file, chosen by the model_type of a config.json.
//
// A forward graph is a function of its weights: they may be parameters of the
// graph or merges made inside it, and they carry a population axis.
package models
