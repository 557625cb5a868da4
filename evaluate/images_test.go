package evaluate_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

const imagesDir = "testdata/images"

// viewer is a tiny model of images.
type viewer struct {
	parents *merge.Parents
	model   *models.Model
}

func newViewer(t *testing.T, name string) *viewer {
	t.Helper()
	dir := filepath.Join(imagesDir, name)
	c, err := tensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	v := &viewer{}
	if v.parents, err = merge.NewParents([]string{name}, []tensors.Source{c}, nil, merge.MissingRefuse, false); err != nil {
		t.Fatal(err)
	}
	if v.model, err = models.Load(dir, c.Tensors()); err != nil {
		t.Fatal(err)
	}
	return v
}

// imageTask fills a task's files and the usual names in.
func imageTask(task evaluate.Task) evaluate.Task {
	task.Kind = evaluate.Classification
	if task.Data == "" {
		task.Data = "last.safetensors"
	}
	if task.Inputs == "" {
		task.Inputs, task.Targets = "images", "labels"
	}
	for _, f := range []*string{&task.Data, &task.Head, &task.Features} {
		if *f != "" {
			*f = filepath.Join(imagesDir, *f)
		}
	}
	return task
}

// Classes and log-likelihoods are those of transformers, of bytes as its processor
// takes them and of floats, with the tasks of a model side by side.
func TestImageTasks(t *testing.T) {
	var want map[string]struct {
		Predicted     []int32   `json:"predicted"`
		LogLikelihood []float64 `json:"log_likelihood"`
	}
	expected(t, imagesDir, &want)
	for _, b := range xlatest.Backends(t) {
		for model, tasks := range map[string][]evaluate.Task{
			"vit": {
				{Name: "own"},
				{Name: "head", Head: "head.safetensors", Metric: evaluate.LogLikelihood},
				{Name: "floats", Data: "floats.safetensors", Inputs: "pixels", Targets: "y", Metric: evaluate.LogLikelihood},
			},
			"clip":  {{Name: "texts", Features: "texts.safetensors", Metric: evaluate.LogLikelihood}, {Name: "others", Features: "others.safetensors"}},
			"tower": {{Name: "texts", Features: "tower-texts.safetensors", Metric: evaluate.LogLikelihood}},
		} {
			t.Run(b.Kind+"/"+model, func(t *testing.T) {
				v := newViewer(t, model)
				var sets []*evaluate.Dataset
				for _, task := range tasks {
					parts, err := evaluate.LoadImages(imageTask(task), v.model)
					if err != nil {
						t.Fatal(err)
					}
					sets = append(sets, parts[evaluate.Search])
				}
				pop, err := merge.Load(b.Backend, v.parents)
				if err != nil {
					t.Fatal(err)
				}
				defer pop.Finalize()
				// Calls of few images, so that there are several and one is not full.
				d, err := evaluate.Place(pop, v.model, sets, evaluate.Plan{Slice: 1, Rows: 20})
				if err != nil {
					t.Fatal(err)
				}
				defer d.Finalize()
				r := scoreSelf(t, d)
				for i, at := range d.Layout() {
					name := model + "/" + strings.Replace(at.Task, "floats", "own", 1)
					if got := r.Predicted[at.Offset : at.Offset+at.Count]; !slices.Equal(got, want[name].Predicted) {
						t.Errorf("%s: answered %v, want %v", at.Task, got, want[name].Predicted)
					}
					right := 0.0
					for j, l := range want[name].LogLikelihood {
						switch {
						case sets[i].Metric == evaluate.LogLikelihood:
							near(t, at.Task, float64(r.Items[at.Offset+j]), l)
						case want[name].Predicted[j] == sets[i].Labels[j]:
							right++
						}
					}
					if sets[i].Metric != evaluate.LogLikelihood {
						near(t, at.Task, r.Tasks[at.Task], right/float64(at.Count))
					}
				}
			})
		}
	}
}

// What an image task cannot be is said.
func TestImageErrors(t *testing.T) {
	vit, tower, clip := newViewer(t, "vit"), newViewer(t, "tower"), newViewer(t, "clip")
	for _, c := range []struct {
		v    *viewer
		task evaluate.Task
		want string
	}{
		{vit, evaluate.Task{Name: "a", Pooling: "mean"}, "task a: pooling is for texts: a model of type vit gives an image one vector"},
		{vit, evaluate.Task{Name: "a", Head: "head.safetensors", Features: "texts.safetensors"}, "head and features both say what the classes are"},
		{vit, evaluate.Task{Name: "a", Features: "texts.safetensors"}, "the model has no visual_projection.weight [10 16] of its own"},
		{vit, evaluate.Task{Name: "a", Features: "head.safetensors"}, "want text_features [classes, width]; it holds head.bias, head.weight"},
		{clip, evaluate.Task{Name: "a"}, "this model of type clip has no classes of its own: name a file with head, a linear layer, or with features"},
		{clip, evaluate.Task{Name: "a", Head: "tower-texts.safetensors"}, "no head.weight [classes, 16]"},
		{tower, evaluate.Task{Name: "a", Features: "texts.safetensors"}, "add that of the model that made the features"},
		{vit, evaluate.Task{Name: "a", Inputs: "labels", Targets: "labels"}, "an example has shape [], the model takes [3 8 8]"},
	} {
		if _, err := evaluate.LoadImages(imageTask(c.task), c.v.model); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v\ngot  %v\nwant %s", c.task, err, c.want)
		}
	}
	vit.model.Image.Pixels = nil
	if _, err := evaluate.LoadImages(imageTask(evaluate.Task{Name: "a"}), vit.model); err == nil || !strings.Contains(err.Error(), "no preprocessor_config.json") {
		t.Error(err)
	}
	task := imageTask(evaluate.Task{Name: "a", Data: "floats.safetensors", Inputs: "pixels", Targets: "y"})
	if _, err := evaluate.LoadImages(task, vit.model); err != nil {
		t.Errorf("floats need no preprocessor: %v", err)
	}
	if _, err := os.Stat(filepath.Join(imagesDir, "vit", "preprocessor_config.json")); err != nil {
		t.Error(err)
	}
}
