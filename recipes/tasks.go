package recipes

// ReadTasks reads a file of nothing but `tasks:`, a list as in a search block, for
// scoring models: each task's file is used whole. ok is false, without an error, for
// a file that has no such key at its top, such as a recipe.
func ReadTasks(path string) (s *Search, ok bool, err error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, false, err
	}
	root, err := parseOne(path, data)
	if err != nil {
		return nil, false, err
	}
	if _, ok := root.get("tasks"); !ok {
		return nil, false, nil
	}
	d := &decoder{}
	s = &Search{Optimizer: Optimizer{Name: defaultOptimizer}}
	if f := d.fields(root, "a file of tasks", []string{"mergevo", "tasks"}); f != nil {
		if n, ok := f["mergevo"]; ok {
			d.version(n)
		}
		s.Tasks = d.tasks(f["tasks"], "tasks", Split{})
	}
	return s, true, d.err()
}
