package scenarios

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	slash "path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Files are the contents of files beside a scenario by their paths from its folder, with slashes.
type Files map[string][]byte

// What the files of a scenario may be together.
const (
	maxBytes = 8 << 20
	maxFiles = 1000
)

// A source is where the files beside a scenario come from. It is given valid paths only.
type source interface {
	// file returns the content of a file, at most a byte more than most. There is none: [fs.ErrNotExist].
	file(path string, most int) ([]byte, error)
	// below returns the paths from a folder of all files in it and below it, in no order.
	below(folder string) ([]string, error)
	// names returns what is in a folder, for hints.
	names(folder string) []string
}

// A disk is the folder of a scenario.
type disk struct{ dir *os.Root }

func (d disk) file(path string, most int) ([]byte, error) {
	if info, err := d.dir.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is no file")
	}
	f, err := d.dir.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(most)+1))
}

func (d disk) below(folder string) (paths []string, err error) {
	seen := 0
	err = fs.WalkDir(d.dir.FS(), folder, func(path string, entry fs.DirEntry, err error) error {
		seen++
		switch {
		case err != nil:
			return err
		case seen > 2*maxFiles:
			return fmt.Errorf("it has more than %d files and folders", 2*maxFiles)
		case entry.IsDir():
			return nil
		case path == folder:
			return errors.New("it is no folder")
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is neither a file nor a folder", path)
		}
		paths = append(paths, strings.TrimPrefix(path, folder+"/"))
		return nil
	})
	return paths, err
}

func (d disk) names(folder string) (names []string) {
	entries, _ := fs.ReadDir(d.dir.FS(), folder) // without it there is no hint
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func (f Files) file(path string, _ int) ([]byte, error) {
	raw, ok := f[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return raw, nil
}

func (f Files) below(folder string) (paths []string, err error) {
	for path := range f { // order does not matter
		if inside, ok := strings.CutPrefix(path, folder+"/"); ok {
			paths = append(paths, inside)
		}
	}
	if len(paths) == 0 {
		return nil, fs.ErrNotExist
	}
	return paths, nil
}

func (f Files) names(string) []string { return nil }

// size returns how many bytes there are.
func (f Files) size() (n int) {
	for _, raw := range f { // order does not matter
		n += len(raw)
	}
	return n
}

// read reads the files that the scenario names.
func (s *Scenario) read(from source) (errs Errors) {
	if s.Rules.InFile() {
		if _, mistake := s.beside(from, "rules.name", s.Rules.Name); mistake != nil {
			errs = append(errs, mistake)
		}
	}
	for _, file := range [][2]string{{"prices", s.Prices}, {"upstream.ca", s.Upstream.CA}} {
		if file[1] == "" {
			continue
		}
		if _, mistake := s.beside(from, file[0], file[1]); mistake != nil {
			errs = append(errs, mistake)
		}
	}
	errs = append(errs, s.readPrompt(from, "", &s.Prompt, s.PromptFile)...)
	folders := make(map[string]map[string][]byte)
	for i := range s.Agents {
		a, at := &s.Agents[i], fmt.Sprintf("agents.%d", i)
		errs = append(errs, s.readPrompt(from, at, &a.Prompt, a.PromptFile)...)
		at = path(at, "workdir")
		if s.agentNode(i).child("workdir") == nil {
			at, a.Workdir = "workdir", s.Workdir
		}
		if a.Workdir == "" {
			continue
		}
		work, ok := folders[a.Workdir]
		if !ok {
			var mistake *Error
			if work, mistake = s.folder(from, at, strings.TrimSuffix(a.Workdir, "/")); mistake != nil {
				errs = append(errs, mistake)
			}
			folders[a.Workdir] = work
		}
		a.Work = work
	}
	return errs
}

// folder returns the contents of all files in a folder beside the scenario and below it, by their paths from there.
func (s *Scenario) folder(from source, at, name string) (map[string][]byte, *Error) {
	if mistake := s.notBeside(at, name, "template"); mistake != nil {
		return nil, mistake
	}
	paths, err := from.below(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, s.Error(at, fmt.Sprintf("there is no folder %q beside the scenario", name), nearest(from, name))
	case err != nil:
		return nil, s.Error(at, fmt.Sprintf("read %s: %s", name, cause(err)), "")
	case len(paths) == 0:
		return nil, s.Error(at, fmt.Sprintf("there are no files in %s", name), "")
	}
	slices.Sort(paths)
	work := make(map[string][]byte)
	for _, inside := range paths {
		raw, mistake := s.beside(from, at, name+"/"+inside)
		if mistake != nil {
			return nil, mistake
		}
		work[inside] = raw
	}
	return work, nil
}

// notBeside returns a mistake if a path leads out of the scenario's folder, or is none.
func (s *Scenario) notBeside(at, name, example string) *Error {
	if fs.ValidPath(name) && name != "." && !strings.Contains(name, `\`) {
		return nil
	}
	return s.Error(at, fmt.Sprintf("%s must be a path below the scenario's folder, not %q", at, name), fmt.Sprintf("write it like %q", example))
}

// readPrompt reads a prompt of the table at a path from its file, if it has one.
func (s *Scenario) readPrompt(from source, at string, prompt *string, file string) Errors {
	key := path(at, "prompt_file")
	switch {
	case file == "":
		return nil
	case *prompt != "":
		return Errors{s.Error(key, "prompt_file says the prompt, and so does prompt", "leave one of them out")}
	}
	raw, mistake := s.beside(from, key, file)
	if mistake != nil {
		return Errors{mistake}
	}
	if !utf8.Valid(raw) || strings.ContainsRune(string(raw), 0) {
		return Errors{s.Error(key, fmt.Sprintf("%s is no text", file), "a prompt is UTF-8, without NUL characters")}
	}
	*prompt = string(raw)
	return nil
}

// beside returns the content of a file beside the scenario, which the value at the path at names.
func (s *Scenario) beside(from source, at, name string) ([]byte, *Error) {
	example := "prompts/fisher.md"
	if at == "rules.name" {
		example = "village.star"
	}
	if mistake := s.notBeside(at, name, example); mistake != nil {
		return nil, mistake
	}
	if raw, ok := s.Files[name]; ok {
		return raw, nil
	}
	room := maxBytes - s.Files.size()
	raw, err := from.file(name, room)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, s.Error(at, fmt.Sprintf("there is no file %q beside the scenario", name), nearest(from, name))
	case err != nil:
		return nil, s.Error(at, fmt.Sprintf("read %s: %s", name, cause(err)), "")
	case len(raw) > room:
		return nil, s.Error(at, fmt.Sprintf("with %s the files of the scenario have more than %d bytes", name, maxBytes), "")
	}
	if len(s.Files) == maxFiles {
		return nil, s.Error(at, fmt.Sprintf("with %s the scenario has more than %d files", name, maxFiles), "")
	}
	if s.Files == nil {
		s.Files = make(Files)
	}
	s.Files[name] = raw
	return raw, nil
}

// nearest returns a hint for a file that is not there.
func nearest(from source, name string) string {
	hint := Suggest(slash.Base(name), from.names(slash.Dir(name)))
	if !strings.HasPrefix(hint, "did") {
		return ""
	}
	return hint
}

// cause returns what is wrong with a file, without its path.
func cause(err error) error {
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		return at.Err
	}
	return err
}
