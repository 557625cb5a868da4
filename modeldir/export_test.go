package modeldir

// Parse is a folder with this config.json, and the same as its
// tokenizer_config.json, without a disk.
func Parse(config []byte) (*Folder, error) {
	d, err := parseDocument("config.json", config)
	if err != nil {
		return nil, err
	}
	return &Folder{config: d, generation: d, tokenizer: d}, nil
}
