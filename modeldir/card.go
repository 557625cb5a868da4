package modeldir

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Parent is a model that was merged.
type Parent struct {
	// Name is the model as the recipe names it: a path, or a reference to the Hub.
	Name string
	// Hub is org/name[@revision][+org/lora] if the model came from there, "" for a
	// local one. What is no such reference counts as local.
	Hub string
	// Digest is that of the weights, such as sha256:..., "" where it is not known.
	Digest string
	// Base says that the model is the base of the merge.
	Base bool
	// States is what the model's own card says.
	States Statement
}

// Table is what the models score.
type Table struct {
	Note    string // a sentence before it
	Columns []string
	Rows    []Row
}

// Row is a model's scores: its name, as in [Parent.Name] where it is a parent, and
// a cell a column.
type Row struct {
	Name  string
	Cells []string
}

// CardInput is what [Card] writes about.
type CardInput struct {
	// Title is the output's name; "" or a path gives a title that names nothing.
	Title string
	// Transformers says that there is a config.json, which transformers loads.
	Transformers bool
	// Method, Doc and Cite are the merge method's name, what it computes and the
	// paper it comes from, as the table of methods has them.
	Method, Doc, Cite string
	// Parents are the models, each once.
	Parents []Parent
	// Recipe is the YAML that was applied.
	Recipe []byte
	// Args are the arguments of mergevo apply that change what is written, without
	// the recipe and the output.
	Args []string
	// Version is the program's.
	Version string
	// Scores is nil where nothing was scored.
	Scores *Table
}

// Card returns the README.md of a merge: front matter that the Hub reads, the
// models with their licences, the method, the recipe and the command that repeats
// it. No path of this machine appears in it, nor the name of a folder: models that
// are not on the Hub are "local model N", in the recipe too, from which the search
// and the provenance are left out. A recipe with anchors, tags or block text, which
// no canonical one has, is left out itself. The licence is stated
// if all parents state the same one.
func Card(c CardInput) []byte {
	m := newMask(c.Parents)
	var b bytes.Buffer
	c.front(&b)
	fmt.Fprintf(&b, "\n# %s\n\n", m.public(c.Title, "A merged model"))
	made := "[mergevo](https://github.com/mergevo/mergevo)"
	if version := m.public(c.Version, ""); version != "" {
		made += " " + version
	}
	fmt.Fprintf(&b, "Made from %s with %s, by merging their weights.\n", count(len(c.Parents), "model"), made)
	c.method(&b)
	c.models(&b, m)
	if recipe, ok := m.recipe(c.Recipe); ok {
		fence := "```"
		for bytes.Contains(recipe, []byte(fence)) {
			fence += "`"
		}
		fmt.Fprintf(&b, "\n## Recipe\n\n%syaml\n%s\n%s\n", fence, bytes.TrimRight(recipe, "\n"), fence)
	}
	fmt.Fprintf(&b, "\nThe file `mergevo_recipe.yaml` beside this one repeats the merge:\n\n```sh\nmergevo apply mergevo_recipe.yaml --out merged%s\n```\n", m.args(c.Args))
	if m.local > 0 {
		b.WriteString("\nLocal models are not published with this one: their paths must be put into the recipe first.\n")
	}
	if c.Scores != nil {
		c.Scores.write(&b, m)
	}
	return b.Bytes()
}

func count(n int, what string) string {
	if n == 1 {
		return "one " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// front writes the part that the Hub reads.
func (c *CardInput) front(b *bytes.Buffer) {
	b.WriteString("---\n")
	var ids []string
	for _, p := range c.Parents {
		for _, h := range parseHub(p.Hub) {
			if !slices.Contains(ids, h.ID) {
				ids = append(ids, h.ID)
			}
		}
	}
	if ids != nil {
		b.WriteString("base_model:\n")
		for _, id := range ids {
			fmt.Fprintf(b, "- %s\n", yamlWord(id))
		}
	}
	b.WriteString("base_model_relation: merge\n")
	if s, ok := c.licence(); ok {
		fmt.Fprintf(b, "license: %s\n", yamlWord(s.License))
		if s.LicenseName != "" {
			fmt.Fprintf(b, "license_name: %s\n", yamlWord(s.LicenseName))
		}
		if s.LicenseLink != "" {
			fmt.Fprintf(b, "license_link: %s\n", yamlWord(s.LicenseLink))
		}
	}
	if c.Transformers {
		b.WriteString("library_name: transformers\n")
	}
	b.WriteString("tags:\n- mergevo\n- merge\n---\n")
}

var plainWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._/+-]*(://[A-Za-z0-9._/+-]*)?$`)

// yamlWord spells a string so that every YAML reader takes it for one.
func yamlWord(s string) string {
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return quote(s)
	}
	if plainWord.MatchString(s) {
		return s
	}
	return quote(s)
}

// licencePattern is what licences and their names look like; a path does not.
var licencePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._+-]{0,99}$`)

// stated is a parent's licence, "" if it states none.
func (p *Parent) stated() string {
	if !licencePattern.MatchString(p.States.License) {
		return ""
	}
	if name := p.States.LicenseName; name != "" && licencePattern.MatchString(name) {
		return p.States.License + " (" + name + ")"
	}
	return p.States.License
}

// licence returns what all parents state, and whether they state one thing. The
// link is the first that works away from here: a URL, or a file of a repository on
// the Hub.
func (c *CardInput) licence() (Statement, bool) {
	if len(c.Parents) == 0 {
		return Statement{}, false
	}
	agreed := c.Parents[0].stated()
	s := Statement{License: c.Parents[0].States.License}
	if strings.Contains(agreed, "(") {
		s.LicenseName = c.Parents[0].States.LicenseName
	}
	for _, p := range c.Parents {
		if p.stated() == "" || p.stated() != agreed {
			return Statement{}, false
		}
		link, from := p.States.LicenseLink, parseHub(p.Hub)
		switch {
		case s.LicenseLink != "" || link == "":
		case webLink.MatchString(link):
			s.LicenseLink = link
		case from != nil && licencePattern.MatchString(link):
			s.LicenseLink = "https://huggingface.co/" + from[0].ID + "/blob/main/" + strings.ReplaceAll(link, " ", "%20")
		}
	}
	return s, true
}

var webLink = regexp.MustCompile(`^https?://[A-Za-z0-9][A-Za-z0-9._:-]*(/[A-Za-z0-9._~:/?#@!$&*+,;=%-]*)?$`)

func (c *CardInput) method(b *bytes.Buffer) {
	if c.Method == "" {
		return
	}
	fmt.Fprintf(b, "\n## Method\n\n`%s`", c.Method)
	if c.Doc != "" {
		fmt.Fprintf(b, ": %s", strings.TrimSpace(c.Doc))
	}
	b.WriteByte('\n')
	if c.Cite != "" {
		fmt.Fprintf(b, "\n%s\n", strings.TrimSpace(c.Cite))
	}
}

var digestPattern = regexp.MustCompile(`^[a-z0-9]+:[0-9a-f]+$`)

func (c *CardInput) models(b *bytes.Buffer, m *mask) {
	if len(c.Parents) == 0 {
		return
	}
	b.WriteString("\n## Models\n\n")
	differ := map[string]bool{}
	for i, p := range c.Parents {
		said := m.names[i]
		if from := parseHub(p.Hub); from != nil {
			said = ""
			for _, h := range from {
				if said != "" {
					said += " with "
				}
				said += fmt.Sprintf("[%s](https://huggingface.co/%s)", h.ID, h.ID)
				if h.Revision != "" {
					said += " at `" + h.Revision + "`"
				}
			}
		}
		if p.Base {
			said += ", the base"
		}
		if digestPattern.MatchString(p.Digest) {
			said += ", `" + p.Digest + "`"
		}
		stated := p.stated()
		differ[stated] = true
		if stated == "" {
			stated = "not stated"
		}
		fmt.Fprintf(b, "- %s; licence: %s\n", said, stated)
	}
	if len(differ) > 1 {
		b.WriteString("\nThe models do not state one licence, so that this card states none: all of theirs may bind.\n")
	}
}

func (t *Table) write(b *bytes.Buffer, m *mask) {
	b.WriteString("\n## Scores\n\n")
	if note := m.public(t.Note, ""); note != "" {
		fmt.Fprintf(b, "%s\n\n", note)
	}
	row := func(name string, cells []string) {
		fmt.Fprintf(b, "| %s |", cell(name))
		for i := range t.Columns {
			text := ""
			if i < len(cells) {
				text = m.public(cells[i], localPath)
			}
			fmt.Fprintf(b, " %s |", cell(text))
		}
		b.WriteByte('\n')
	}
	row("", t.Columns)
	fmt.Fprintf(b, "| --- |%s\n", strings.Repeat(" ---: |", len(t.Columns)))
	for _, r := range t.Rows {
		row(m.name(r.Name), r.Cells)
	}
}

// cell keeps a text inside its cell.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "\r", " ", "\n", " ").Replace(s)
}
