package vitrine_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/vitrine-sim/vitrine"

// allowed says which packages of ours and of other modules a package may import, apart from the standard library. Every arrow points
// one way: cmd -> arena -> agents -> world, and each module from outside has one package that knows it.
var allowed = map[string][]string{
	"cmd/vitrine": {
		"agents", "agents/claude", "agents/confine", "agents/gateway", "agents/lines", "agents/plugin", "agents/scripted", "agents/tamper", "arena", "scenarios",
		"viewer", "viewer/draw", "viewer/film", "viewer/soft", "viewer/web", "world",
		"agents/egress",
		"world/bazaar",
		"world/commons",
		"world/conform",
		"world/diplomacy",
		"world/fishery",
		"world/life",
		"world/segregation",
		"world/star",
		"world/werewolf",
	},
	"arena":             {"agents", "agents/tamper", "world"},
	"agents":            {"agents/tamper", "world"},
	"agents/agentstest": {"agents", "world"},
	"agents/claude":     {"agents", "agents/confine", "agents/tamper", "world", "github.com/modelcontextprotocol/go-sdk"},
	"agents/gateway":    {"agents/tamper", "world"},
	"agents/egress":     {},
	"agents/confine":    {"agents", "github.com/landlock-lsm/go-landlock", "golang.org/x/sys"},
	"agents/lines":      {"agents", "agents/confine", "agents/tamper", "world"},
	"agents/plugin": {
		"agents", "agents/confine", "agents/plugin/proto/vitrine/v1", "agents/tamper", "world",
		"github.com/hashicorp/go-hclog", "github.com/hashicorp/go-plugin", "google.golang.org/grpc",
	},
	"agents/plugin/proto/vitrine/v1": {"google.golang.org/grpc", "google.golang.org/protobuf"}, // generated
	"agents/scripted":                {"agents", "world"},
	"agents/tamper":                  {},
	"examples/plugin-go/fisher":      {"agents/plugin", "world"},
	"examples/plugin-go/lake":        {"agents/plugin", "world"},
	"scenarios":                      {"github.com/BurntSushi/toml"},
	"world":                          {"github.com/fsnotify/fsnotify", "github.com/gofrs/flock", "github.com/klauspost/compress"},
	"world/bazaar":                   {"world"},
	"world/commons":                  {"world"},
	"world/segregation":              {"world"},
	"world/diplomacy":                {"world"},
	"world/fishery":                  {"world"},
	"world/life":                     {"world"},
	"world/werewolf":                 {"world"},
	"world/star":                     {"world", "go.starlark.net"},
	"world/conform":                  {"world"},
	"world/worldtest":                {"world", "world/conform"},
	"viewer":                         {"viewer/draw", "world"},
	"viewer/draw":                    {},
	"viewer/soft":                    {"viewer/draw", "golang.org/x/image"},
	"viewer/soft/page":               {"viewer/draw", "viewer/soft", "viewer/stage"},
	"viewer/web":                     {"viewer", "viewer/draw", "world", "github.com/coder/websocket"},
	"viewer/stage":                   {"viewer/draw"},
	"viewer/film":                    {},
	"viewer/e2e":                     {}, // tests only, by github.com/chromedp/chromedp
	"viewer/window":                  {"viewer/draw", "viewer/soft", "viewer/stage", "github.com/hajimehoshi/ebiten"},
}

func TestImportsPointOneWay(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := make(map[string]bool)
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if pkg.ImportPath == module {
			continue // this test
		}
		name := strings.TrimPrefix(pkg.ImportPath, module+"/")
		seen[name] = true
		may, ok := allowed[name]
		if !ok {
			t.Errorf("package %s has no row here: say what it may import", name)
		}
		for _, imported := range pkg.Imports {
			first, _, _ := strings.Cut(imported, "/")
			if !strings.Contains(first, ".") {
				continue // the standard library
			}
			if !slices.ContainsFunc(may, func(m string) bool {
				return imported == module+"/"+m || imported == m || strings.HasPrefix(imported, m+"/")
			}) {
				t.Errorf("package %s imports %s", name, imported)
			}
		}
	}
	for name := range allowed {
		if !seen[name] {
			t.Errorf("there is no package %s", name)
		}
	}
}
