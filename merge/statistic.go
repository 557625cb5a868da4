package merge

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/mergevo/mergevo/tensors"
)

// Statistic is a kind of file that says what a model's data ask of its weights:
// methods that read one need such a file for each model that they merge.
type Statistic struct {
	// Name is the key under which recipes name a model's file.
	Name string
	// Doc is a phrase: what is in the file.
	Doc string
	// Command is how one is made.
	Command string
	// Elementwise statistics have a number for each of a tensor's, in a tensor of the
	// same name and shape; they reach a Mix as operands.
	Elementwise bool
	// names are those under which a tensor's statistic may be, with the shape it then has.
	names func(t tensors.Info) []tensors.Info
}

// Statistics lists the kinds that methods read, sorted by name.
func Statistics() []*Statistic {
	var all []*Statistic
	for _, m := range Methods() {
		if s := m.Statistic; s != nil && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *Statistic) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// In returns the statistic of a tensor in a file, and whether there is one.
func (s *Statistic) In(file tensors.Source, t tensors.Info) (tensors.Info, bool) {
	for _, want := range s.names(t) {
		if have, ok := file.Lookup(want.Name); ok {
			return have, true
		}
	}
	return tensors.Info{}, false
}

// check compares a tensor's statistic in a file with what it must be.
func (s *Statistic) check(file tensors.Source, t tensors.Info) (found bool, err error) {
	wanted := s.names(t)
	for _, want := range wanted {
		have, ok := file.Lookup(want.Name)
		switch {
		case !ok:
			continue
		case !slices.Equal(have.Shape, want.Shape):
			return true, fmt.Errorf("  %s: %s has shape %v, the tensor of the models %v: want %v", file.Path(), have.Name, have.Shape, t.Shape, want.Shape)
		case !have.DType.Float():
			return true, fmt.Errorf("  %s: %s is %s, not of a floating-point type", file.Path(), have.Name, have.DType)
		}
		return true, nil
	}
	if s.Elementwise {
		err = fmt.Errorf("  %s: no %s, a tensor of the models with shape %v", file.Path(), t.Name, t.Shape)
	}
	return false, err
}

// Renames are the names in a file of statistics by those that a slice gives: names maps
// the tensors' names in the output to the model's. Nil stays nil.
func (s *Statistic) Renames(file tensors.Source, names map[string]string) map[string]string {
	if names == nil {
		return nil
	}
	out := map[string]string{}
	for to, from := range names {
		for i, want := range s.names(tensors.Info{Name: from}) {
			if _, ok := file.Lookup(want.Name); ok {
				out[s.names(tensors.Info{Name: to})[i].Name] = want.Name
			}
		}
	}
	return out
}

// attached is a file of statistics as a parent sees it.
type attached struct {
	tensors.Source
	file *measuredFile
}

// measuredFile is a file of statistics with what is known of it as a whole.
type measuredFile struct {
	tensors.Source
	once sync.Once
	norm float64
	err  error
}

// Attach gives parents their files of a kind of statistic: files holds one for each
// parent, nil for a base, and views the same under the names of the parent's slice. It
// reads headers, and lists every tensor that is missing or has another shape.
func (p *Parents) Attach(s *Statistic, files, views []tensors.Source) error {
	if p.statistics == nil {
		p.statistics = map[*Statistic][]*attached{}
	}
	known := map[tensors.Source]*measuredFile{}
	list := make([]*attached, len(p.sources))
	for i := range list {
		if files[i] == nil {
			continue
		}
		if known[files[i]] == nil {
			known[files[i]] = &measuredFile{Source: files[i]}
		}
		list[i] = &attached{views[i], known[files[i]]}
	}
	p.statistics[s] = list
	var problems []error
	any := false
	for _, t := range p.merged {
		var with, without []string
		for i := range p.sources {
			if p.partOf(i) != p.part[t.Name] || list[i] == nil {
				continue
			}
			of := p.statisticOf(s, i, t.Name)
			found, err := s.check(of, t)
			if err != nil {
				problems = append(problems, err)
			}
			if found {
				with = append(with, of.Path())
			} else {
				without = append(without, of.Path())
			}
		}
		any = any || with != nil
		if !s.Elementwise && with != nil && without != nil {
			problems = append(problems, fmt.Errorf("  %s: in %s, and not in %s", t.Name, strings.Join(with, ", "), strings.Join(without, ", ")))
		}
	}
	switch {
	case problems != nil:
		return fmt.Errorf("the %s files do not fit the models (%s makes them anew):\n%w", s.Name, s.Command, joinSome(problems, 40))
	case !any:
		return fmt.Errorf("the %s files hold nothing of any tensor of the models", s.Name)
	}
	return nil
}

// statisticOf returns the file that describes the tensor which of gives; nil where there
// is none.
func (p *Parents) statisticOf(s *Statistic, i int, tensor string) *attached {
	list := p.statistics[s]
	if list == nil {
		return nil
	}
	if _, ok := p.sources[i].Lookup(tensor); !ok {
		i = p.first(tensor)
	}
	return list[i]
}

// noStatistic says that a model's file is missing.
func (p *Profile) noStatistic(s *Statistic) error {
	if s == nil || !slices.Contains(p.statistic, nil) {
		return nil
	}
	return fmt.Errorf("model %d of the merge has no %s file: %s makes one", slices.Index(p.statistic, nil), s.Name, s.Command)
}

// Norm returns the L2 norm of all numbers of a source's file of statistics: in float64,
// tensor by tensor in the order of their names, block by block.
func (p *Profile) Norm(source int) (float64, error) {
	f := p.statistic[source].file
	f.once.Do(func() {
		block := make([]float32, blockLen)
		var total float64
		for _, t := range f.Tensors() {
			if !t.DType.Float() {
				continue
			}
			for off, n := 0, t.Len(); off < n; off += blockLen {
				b := block[:min(blockLen, n-off)]
				if f.err = f.ReadAt(b, t.Name, off); f.err != nil {
					return
				}
				total += dot(b, b)
			}
			if math.IsNaN(total) || math.IsInf(total, 0) {
				f.err = fmt.Errorf("%s holds NaN or Inf in %s", f.Path(), t.Name)
				return
			}
		}
		f.norm = math.Sqrt(total)
	})
	return f.norm, f.err
}
