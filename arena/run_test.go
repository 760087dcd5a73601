package arena

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCreateRunMakesAFolderWhereNothingIs(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T, dir string) // makes what is there before
		want    error                          // nil: it is there, and empty
		left    []string                       // in the folder that dir is in
	}{
		{"nothing is there", func(*testing.T, string) {}, nil, []string{"run"}},
		{"an empty folder", mkdir, nil, []string{"run"}},
		{"a folder with a run", func(t *testing.T, dir string) {
			mkdir(t, dir)
			if err := WriteManifest(dir, Manifest{}); err != nil {
				t.Fatal(err)
			}
		}, ErrExists, []string{"run"}},
		{"a folder with something else", func(t *testing.T, dir string) { mkdir(t, filepath.Join(dir, "home")) }, ErrExists, []string{"run"}},
		{"a file", touch, ErrExists, []string{"run"}},
		{"a link to nothing", func(t *testing.T, dir string) {
			mkdir(t, filepath.Dir(dir))
			if err := os.Symlink("nowhere", dir); err != nil {
				t.Fatal(err)
			}
		}, ErrExists, []string{"run"}},
		{"a file where its parent should be", func(t *testing.T, dir string) { touch(t, filepath.Dir(dir)) }, syscall.ENOTDIR, nil},
		{"a file where its grandparent should be", func(t *testing.T, dir string) { touch(t, filepath.Dir(filepath.Dir(dir))) }, syscall.ENOTDIR, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "deep", "down", "run")
			test.prepare(t, dir)
			err := CreateRun(dir)
			if !errors.Is(err, test.want) {
				t.Fatalf("the error is %v, want %v", err, test.want)
			}
			if err != nil && !strings.Contains(err.Error(), filepath.Dir(filepath.Dir(filepath.Dir(dir)))) {
				t.Errorf("the error names no path: %v", err)
			}
			if got := names(t, filepath.Dir(dir)); !slices.Equal(got, test.left) {
				t.Errorf("there is %q, want %q", got, test.left)
			}
			if err == nil && len(names(t, dir)) > 0 {
				t.Errorf("the folder of the run holds %q", names(t, dir))
			}
		})
	}
}

// No file system lets even root make a folder in /proc.
func TestCreateRunInAFolderThatTakesNoneIsAnError(t *testing.T) {
	if err := CreateRun("/proc/run"); err == nil || errors.Is(err, ErrExists) {
		t.Errorf("the error is %v", err)
	}
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	mkdir(t, filepath.Dir(path))
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// names returns what is in a folder, nothing if there is none.
func names(t *testing.T, dir string) []string {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range found {
		all = append(all, entry.Name())
	}
	return all
}

// filled returns a value of a struct of which no field is zero.
func filled[T any](t *testing.T) T {
	t.Helper()
	var v T
	fill(t, reflect.ValueOf(&v).Elem())
	return v
}

func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 15, 4, 5, 6, time.UTC)))
	case v.Kind() == reflect.Struct:
		for _, field := range v.Fields() {
			fill(t, field)
		}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0))
		fill(t, v.Index(1))
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, key := range []string{"efficiency", "survival"} {
			value := reflect.New(v.Type().Elem()).Elem()
			fill(t, value)
			v.SetMapIndex(reflect.ValueOf(key), value)
		}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case v.Kind() == reflect.String:
		v.SetString("<fish & \"chips\">\n\u2028")
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(-1 << 31)
	case v.CanUint():
		v.SetUint(math.MaxUint64)
	case v.CanFloat():
		v.SetFloat(0.1)
	default:
		t.Fatalf("a field is a %s", v.Type())
	}
}

func TestManifestsAndResultsAreReadAsTheyWereWritten(t *testing.T) {
	dir := t.TempDir()
	wrote := filled[Manifest](t)
	if err := WriteManifest(dir, wrote); err != nil {
		t.Fatal(err)
	}
	if read, err := ReadManifest(dir); err != nil || !reflect.DeepEqual(read, wrote) {
		t.Errorf("read %+v, %v; want %+v", read, err, wrote)
	}
	first, second := filled[Result](t), Result{Status: Failed, Agents: []AgentResult{}, Metrics: map[string]float64{}}
	for _, wrote := range []Result{first, second} { // the second in the place of the first
		if err := WriteResult(dir, wrote); err != nil {
			t.Fatal(err)
		}
		if read, err := ReadResult(dir); err != nil || !reflect.DeepEqual(read, wrote) {
			t.Errorf("read %+v, %v; want %+v", read, err, wrote)
		}
	}
	if got := names(t, dir); !slices.Equal(got, []string{"manifest.json", "result.json"}) {
		t.Errorf("the folder holds %q", got)
	}
}

// The words that scripts rely on.
func TestAResultHasTheDocumentedKeys(t *testing.T) {
	dir := t.TempDir()
	if err := WriteResult(dir, filled[Result](t)); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"scenario", "seed", "model", "status", "turns", "hash", "metrics", "agents", "name", "kind", "reward", "actions",
		"refusals", "model_requests", "tokens_in", "tokens_out", "dollars", "models", "cache_read", "used", "budget", "equal_terms", "wall_ms", "peak_memory_bytes",
	} {
		if !strings.Contains(string(raw), `"`+key+`": `) {
			t.Errorf("there is no %q in %s", key, raw)
		}
	}
}

func TestAManifestThatCannotBeReadIsAnErrorThatNamesIt(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadManifest(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a folder that is no run's the error is %v", err)
	}
	if _, err := ReadResult(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a run that is not over the error is %v", err)
	}
	path := filepath.Join(dir, "manifest.json")
	for _, text := range []string{"", "{", `{"seed":-1}`, `{"seed":1}}`, `[]`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadManifest(dir); err == nil || !strings.HasPrefix(err.Error(), path+": ") {
			t.Errorf("of %q the error is %v", text, err)
		}
	}
}

func TestAResultThatCannotBeWrittenLeavesTheOldOneAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	old := Result{Status: Terminated}
	if err := WriteResult(dir, old); err != nil {
		t.Fatal(err)
	}
	if err := WriteResult(dir, Result{Metrics: map[string]float64{"efficiency": math.NaN()}}); err == nil {
		t.Error("no error for a result that is no JSON")
	}
	if read, err := ReadResult(dir); err != nil || read.Status != old.Status {
		t.Errorf("read %+v, %v", read, err)
	}
	if err := WriteResult(filepath.Join(dir, "none"), old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a folder that is not there the error is %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "result.json")); err != nil {
		t.Fatal(err)
	}
	mkdir(t, filepath.Join(dir, "result.json", "full"))
	if err := WriteResult(dir, old); err == nil || !strings.Contains(err.Error(), "write result.json: ") {
		t.Errorf("where a folder is in the way the error is %v", err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"result.json"}) {
		t.Errorf("the folder holds %q", got)
	}
}

func TestAgentsHaveFoldersOfTheirOwn(t *testing.T) {
	if got, want := AgentDir("runs/x", "a"), filepath.Join("runs", "x", "agents", "a"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
