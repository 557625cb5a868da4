package main

// pasted are the flags of mergekit-yaml and its companions that people paste, and
// what to do here instead.
var pasted = map[string]string{
	"allow-crimes":               "not needed: tensors are merged by name and shape, whatever the architecture says",
	"unsafe-truncate-embeddings": "nothing is truncated silently: say tokenizer_source: base or union in the recipe",
	"transformers-cache":         "set HF_HUB_CACHE",
	"lora-merge-cache":           "not needed: model+adapter is merged as it is read, nothing is written on the way",
	"lora-merge-dtype":           "not needed: adapters are added in float32 and rounded once, to the model's type",
	"cuda":                       "--backend xla:cuda, which auto picks where there is a GPU",
	"device":                     "--backend auto, xla:cpu, xla:cuda or go",
	"no-cuda":                    "--backend xla:cpu",
	"low-cpu-memory":             "not needed: memory does not grow with the model",
	"read-to-gpu":                "not needed: pieces of tensors are streamed to the device",
	"multi-gpu":                  "not needed: a merge is as fast as the disk on one device",
	"gpu-rich":                   "not needed: a merge is as fast as the disk on one device",
	"out-shard-size":             "--shard-size 5GB: bytes, and written so",
	"copy-tokenizer":             "not needed: the tokenizer of the base, else of the first model, is always copied",
	"no-copy-tokenizer":          "remove the tokenizer files from the output if they are in the way",
	"clone-tensors":              "not needed: output files never share memory",
	"trust-remote-code":          "not needed: no code of a model is ever run",
	"random-seed":                "seed: N in the recipe, or --seed N for a search; results never depend on threads or order",
	"lazy-unpickle":              "not needed: safetensors are mapped, not loaded; other formats are not read",
	"write-model-card":           "not needed: a model card is always written",
	"no-write-model-card":        "remove README.md from the output if it is in the way",
	"safe-serialization":         "not needed: only safetensors are written",
	"no-safe-serialization":      "only safetensors are written",
	"num-threads":                "set GOMAXPROCS",
	"async-write":                "not needed: reading, merging and writing overlap",
	"write-threads":              "not needed: reading, merging and writing overlap",
	"intermediate-dir":           "not needed: named documents are merged beside the output and removed",
	"storage-path":               "--out DIR names a search's folder",
	"vllm":                       "not needed: candidates are scored on the device that merges them",
	"in-memory":                  "not needed: candidates are merged on the device, never on disk",
	"max-fevals":                 "--evaluations N",
	"sigma0":                     "--set search.optimizer.sigma=X",
	"task-search-path":           "tasks are named in the recipe's search block",
	"lora":                       "write model+adapter in the recipe",
}

// pastedHint is what to do instead of a flag of mergekit's, "" for any other.
func pastedHint(flag string) string {
	if do, ok := pasted[flag]; ok {
		return "\nhint: --" + flag + " is mergekit's; here: " + do
	}
	return ""
}
