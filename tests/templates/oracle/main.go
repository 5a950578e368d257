// Command oracle answers templates by Go's own engine with sprig's hermetic functions: one JSON string
// a line on standard input, one JSON object {"out", "error"} a line on standard output.
//
// The data is the same as in ../world.py.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

type Item struct {
	Name string
	Tag  string
	Size int
}

type Kind struct {
	APIVersion string
	Kind       string
}

type Object struct {
	Kind
	Name string
}

type Key struct {
	Namespace string
	Name      string
}

func (k Key) String() string { return k.Namespace + "/" + k.Name }

type World struct {
	Name    string
	Count   int
	Ratio   float64
	On      bool
	Blank   string
	Nil     any
	List    []any
	Words   []string
	Numbers []int
	None    []any
	Map     map[string]any
	Text    map[string]string
	Item    Item
	Items   []Item
	Objects map[Object][]Item
	Key     Key
}

func (w World) Greet(name string) string { return "hello " + name }

func world() World {
	return World{
		Name:    "app",
		Count:   3,
		Ratio:   2.5,
		On:      true,
		List:    []any{"a", 1, nil, 2.5, true, []any{"x", "y"}},
		Words:   []string{"pear", "apple", "fig"},
		Numbers: []int{3, 1, 2},
		None:    []any{},
		Map:     map[string]any{"b": 2, "a": "one", "nil": nil, "deep": map[string]any{"k": "v", "n": []any{1, "z"}}},
		Text:    map[string]string{"cluster": "prod", "region": "eu", "empty": ""},
		Item:    Item{"web", "1.2.3", 10},
		Items:   []Item{{"web", "1.2.3", 10}, {"api", "v2.0", 20}},
		Objects: map[Object][]Item{
			{Kind{"v1", "Service"}, "b"}:         {{"api", "v2.0", 20}},
			{Kind{"apps/v1", "Deployment"}, "b"}: {{"web", "1.2.3", 10}, {"api", "v2.0", 20}},
			{Kind{"apps/v1", "Deployment"}, "a"}: {},
		},
		Key: Key{"flux-system", "auto"},
	}
}

type answer struct {
	Out   string `json:"out"`
	Error string `json:"error"`
}

func ask(text string) answer {
	parsed, err := template.New("template").Funcs(sprig.HermeticTxtFuncMap()).Parse(text)
	if err != nil {
		return answer{Error: err.Error()}
	}
	var out strings.Builder
	if err := parsed.Execute(&out, world()); err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Out: out.String()}
}

func main() {
	questions := bufio.NewScanner(os.Stdin)
	questions.Buffer(make([]byte, 1<<20), 1<<20)
	answers := json.NewEncoder(os.Stdout)
	for questions.Scan() {
		var text string
		if err := json.Unmarshal(questions.Bytes(), &text); err != nil {
			panic(err)
		}
		if err := answers.Encode(ask(text)); err != nil {
			panic(err)
		}
	}
}
