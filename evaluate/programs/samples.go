package programs

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/evaluate"
)

// results are what of the harness's results_*.json is read.
type results struct {
	Results      map[string]map[string]any   `json:"results"`
	Groups       map[string][]string         `json:"group_subtasks"`
	HigherBetter map[string]map[string]*bool `json:"higher_is_better"`
}

// sample is a line of the harness's samples_TASK_*.jsonl.
type sample struct {
	DocID    json.Number     `json:"doc_id"`
	Hash     string          `json:"doc_hash"`
	Filter   string          `json:"filter"`
	Metrics  []string        `json:"metrics"`
	Filtered json.RawMessage `json:"filtered_resps"`
	values   map[string]json.RawMessage
}

// readHarness reads what the harness wrote below a folder.
func readHarness(dir string, tasks []string, metric string) (Answer, error) {
	var file string
	samples := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if m := sampleFile.FindStringSubmatch(d.Name()); m != nil {
			samples[m[1]] = path
		}
		if strings.HasPrefix(d.Name(), "results_") && strings.HasSuffix(d.Name(), ".json") {
			file = path
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if file == "" {
		return nil, fmt.Errorf("%w: results_*.json in %s", fs.ErrNotExist, dir)
	}
	data, err := readBounded(file)
	if err != nil {
		return nil, err
	}
	var r results
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, evaluate.Failed("%s: %w", filepath.Base(file), err)
	}
	a := Answer{}
	for _, task := range tasks {
		s := Score{Named: true}
		leaves := r.leaves(task)
		for _, leaf := range leaves {
			path, ok := samples[leaf]
			if !ok {
				path, ok = samples[unwordly.ReplaceAllString(leaf, "_")]
			}
			if !ok {
				return nil, evaluate.Failed("it wrote no samples of %s; it has %s", leaf, strings.Join(slices.Sorted(maps.Keys(samples)), ", "))
			}
			if err := s.leaf(path, leaf, len(leaves) > 1, metric, &r); err != nil {
				return nil, evaluate.Failed("%s: %w", leaf, err)
			}
		}
		for _, x := range s.Items {
			s.Value += x / float64(len(s.Items))
		}
		a[task] = s
	}
	return a, nil
}

var (
	sampleFile = regexp.MustCompile(`^samples_(.+)_\d{4}-\d{2}-\d{2}T.*\.jsonl$`)
	unwordly   = regexp.MustCompile(`[^\pL\pN_]`)
)

// leaves are the tasks that a name stands for: those of a group, else itself.
func (r *results) leaves(task string) []string {
	below := r.Groups[task]
	if len(below) == 0 {
		return []string{task}
	}
	var out []string
	for _, t := range below {
		if t != task {
			out = append(out, r.leaves(t)...)
		}
	}
	return out
}

// leaf adds the samples of one task. Smaller is better becomes bigger by the sign.
func (s *Score) leaf(path, leaf string, grouped bool, metric string, r *results) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	name, filter, filtered := strings.Cut(metric, ",")
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, most)
	var sum float64
	n := 0
	for lines.Scan() {
		var x sample
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			return err
		}
		if err := json.Unmarshal(lines.Bytes(), &x.values); err != nil {
			return err
		}
		if !filtered && n == 0 {
			filter = x.Filter
		}
		if x.Filter != filter {
			continue
		}
		if name == "" {
			name = x.first()
		}
		value, ok := x.number(name)
		if !ok {
			return fmt.Errorf("the metric %q is no number of each example; there are %s", name, strings.Join(x.numbers(), ", "))
		}
		sum += value
		n++
		if better := r.HigherBetter[leaf][name]; better != nil && !*better {
			value = -value
		}
		id := string(x.DocID)
		if grouped {
			id = leaf + "/" + id
		}
		s.IDs, s.Items = append(s.IDs, id), append(s.Items, value)
		s.Answers, s.Keys = append(s.Answers, clipped(x.Filtered)), append(s.Keys, "lm_eval "+leaf+" "+x.Hash)
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("no sample has the filter %q", filter)
	}
	s.Metric = name
	// The harness makes some metrics of all examples at once: those are no means.
	if told, ok := r.Results[leaf][name+","+filter].(float64); ok && math.Abs(told-sum/float64(n)) > meanSlack*math.Max(1, math.Abs(told)) {
		return fmt.Errorf("the metric %s is %g and the mean of its examples %g: only means can be split and compared", name, told, sum/float64(n))
	}
	return nil
}

// number is a metric of an example.
func (x *sample) number(name string) (float64, bool) {
	raw := x.values[name]
	var yes bool
	if json.Unmarshal(raw, &yes) == nil && len(raw) > 0 && string(raw) != "null" {
		if yes {
			return 1, true
		}
		return 0, true
	}
	var v *float64
	if json.Unmarshal(raw, &v) != nil || v == nil {
		return 0, false
	}
	return *v, true
}

// numbers are the metrics that have one.
func (x *sample) numbers() (out []string) {
	for _, m := range x.Metrics {
		if _, ok := x.number(m); ok {
			out = append(out, m)
		}
	}
	return out
}

// first is the metric that is listed first.
func (x *sample) first() string {
	if list := x.numbers(); len(list) > 0 {
		return list[0]
	}
	return strings.Join(x.Metrics, ", ")
}
