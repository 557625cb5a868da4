package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/runs"
)

func newRuns() *cobra.Command {
	c := &cobra.Command{
		Use:     "runs ls|show|export",
		Short:   "List, show and export runs",
		Long:    "Looks at runs on disk, also at those that other processes are writing." + exits(exitUsage),
		Example: "  mergevo runs ls\n  mergevo runs show runs/search-1\n  mergevo runs export runs/search-1 --format csv > candidates.csv",
		Args:    subcommand,
		RunE: func(*cobra.Command, []string) error {
			return usage(errors.New("want mergevo runs ls, mergevo runs show RUN or mergevo runs export RUN"))
		},
	}
	c.AddCommand(newRunsList(), newRunsShow(), newRunsExport())
	return c
}

func newRunsList() *cobra.Command {
	return &cobra.Command{
		Use:     "ls [FOLDER]",
		Short:   "List the runs in a folder (default runs)",
		Long:    "Lists the runs in a folder, oldest first. One that was killed can be continued." + exits(exitFailed),
		Example: "  mergevo runs ls",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			root := "runs"
			if len(args) > 0 {
				root = args[0]
			}
			list, err := runs.List(root)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				fmt.Fprintf(c.ErrOrStderr(), "mergevo: no run in %s; mergevo search begins one\n", root)
				return nil
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(t, "run\tstatus\tevaluations\tbest\tbegun")
			for _, s := range list {
				if s.Err != nil {
					fmt.Fprintf(t, "%s\t%v\n", s.Dir, s.Err)
					continue
				}
				fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", s.Dir, statusText(s), s.Evaluations, bestText(s.Best), s.Created.Local().Format("2006-01-02 15:04"))
			}
			return t.Flush()
		},
	}
}

func newRunsShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show RUN",
		Short:   "Show a run's settings, scores and answer",
		Long:    "Prints what a run began with, its answer, and why candidates failed." + exits(exitFailed),
		Example: "  mergevo runs show runs/search-1",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			run, err := runs.Read(args[0])
			if err != nil {
				return err
			}
			defer run.Close()
			return showRun(c.OutOrStdout(), run)
		},
	}
}

func showRun(out io.Writer, run *runs.Run) error {
	m := run.Manifest()
	var status string
	if _, err := run.Note("status", &status); err != nil {
		return err
	}
	var st settings
	if err := json.Unmarshal(m.Settings, &st); err != nil {
		return fmt.Errorf("the settings kept in the run: %w", err)
	}
	line(out, "recipe", m.RecipePath)
	line(out, "begun", m.Created.Local().Format(time.DateTime)+" by mergevo "+m.Version)
	line(out, "status", status)
	line(out, "optimizer", st.optimizer()...)
	line(out, "budget", append(st.budget(), "as begun")...)
	if len(m.Genes) > 0 { // a niche merge has none
		line(out, "genes", append([]string{strconv.Itoa(len(m.Genes))}, some(m.Genes, 6)...)...)
	}
	line(out, "backend", m.Identity["backend"], m.Identity["device"])
	var f forkNote
	if ok, err := run.Note("fork", &f); err != nil {
		return err
	} else if ok {
		line(out, "forked", f.When.Local().Format(time.DateTime), f.Identity["backend"], f.Identity["device"])
	}
	for _, p := range m.Parents {
		line(out, "model", p.Ref)
		line(out, "", p.Path)
		line(out, "", p.Digest)
	}
	var rep reportEvent
	if ok, err := run.Note("report", &rep); err != nil {
		return err
	} else if ok {
		fmt.Fprintln(out)
		rep.text(out)
	}
	failed := 0
	for r, err := range run.Records() {
		if err != nil {
			return err
		}
		if r.Err == nil {
			continue
		}
		if failed++; failed <= 3 {
			fmt.Fprintf(out, "candidate %d failed: %v\n", r.ID, r.Err)
		}
	}
	if failed > 3 {
		fmt.Fprintf(out, "and %d more failed\n", failed-3)
	}
	return nil
}

func newRunsExport() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:     "export RUN --format csv|jsonl",
		Short:   "Print every candidate of a run, one a row",
		Long:    "Prints every candidate with its scores and the numbers of its recipe." + exits(exitFailed, exitUsage),
		Example: "  mergevo runs export runs/search-1 --format csv > candidates.csv",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if format != "csv" && format != "jsonl" {
				return usage(fmt.Errorf("--format is csv or jsonl, not %q", format))
			}
			run, err := runs.Read(args[0])
			if err != nil {
				return err
			}
			defer run.Close()
			if format == "csv" {
				return exportCSV(c.OutOrStdout(), run)
			}
			return exportJSON(c.OutOrStdout(), run)
		},
	}
	c.Flags().StringVar(&format, "format", "csv", "csv or jsonl")
	complete(c, "format", "csv", "jsonl")
	return c
}

// geneValues turns a candidate's genome into the numbers of the recipe.
func geneValues(m runs.Manifest) (func([]float64) []float64, error) {
	var st settings
	if err := json.Unmarshal(m.Settings, &st); err != nil {
		return nil, fmt.Errorf("the settings kept in the run: %w", err)
	}
	if len(st.Box) == 0 { // a niche merge: its segments have no names
		return func([]float64) []float64 { return nil }, nil
	}
	return st.Box.Values, nil
}

func exportCSV(out io.Writer, run *runs.Run) error {
	m := run.Manifest()
	values, err := geneValues(m)
	if err != nil {
		return err
	}
	w := csv.NewWriter(out)
	head := []string{"candidate", "generation", "value", "log_likelihood", "error"}
	for _, t := range m.Tasks {
		head = append(head, "score."+t.Name)
	}
	if err := w.Write(append(head, m.Genes...)); err != nil {
		return err
	}
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	for r, err := range run.Records() {
		if err != nil {
			return err
		}
		row := []string{strconv.FormatUint(r.ID, 10), strconv.Itoa(r.Generation), number(r.Value), number(r.Tie), ""}
		if r.Err != nil {
			row[2], row[3], row[4] = "", "", r.Err.Error()
		}
		for _, t := range m.Tasks {
			score := ""
			if s, ok := r.Tasks[t.Name]; ok {
				score = number(s)
			}
			row = append(row, score)
		}
		for _, x := range values(r.Genome) {
			row = append(row, number(x))
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// candidateRow is a line of the JSON export.
type candidateRow struct {
	Candidate  uint64             `json:"candidate"`
	Generation int                `json:"generation"`
	Value      *float64           `json:"value"`
	Tie        *float64           `json:"log_likelihood"`
	Error      string             `json:"error,omitempty"`
	Scores     map[string]float64 `json:"scores,omitempty"`
	Genes      map[string]float64 `json:"genes,omitempty"`
	// Segments are of a niche merge, of each its end and the models' shares.
	Segments []float64 `json:"segments,omitempty"`
}

func exportJSON(out io.Writer, run *runs.Run) error {
	m := run.Manifest()
	values, err := geneValues(m)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	for r, err := range run.Records() {
		if err != nil {
			return err
		}
		row := candidateRow{Candidate: r.ID, Generation: r.Generation, Scores: r.Tasks, Genes: map[string]float64{}}
		if r.Err != nil {
			row.Error = r.Err.Error()
		} else {
			row.Value, row.Tie = &r.Value, &r.Tie
		}
		if m.Genes == nil {
			row.Segments = r.Genome
		}
		for i, x := range values(r.Genome) {
			row.Genes[m.Genes[i]] = x
		}
		if err := enc.Encode(row); err != nil {
			return err
		}
	}
	return nil
}

func bestText(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.2f", 100*v)
}

// statusText tells a run that goes on from one that was killed.
func statusText(s runs.Summary) string {
	if s.Status == "running" && !s.Held {
		return "killed"
	}
	return s.Status
}
