package claude

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrUnavailable says that there is no Claude Code on this machine and that none can be fetched.
var ErrUnavailable = errors.New("no Claude Code")

// A Binary is a Claude Code executable.
type Binary struct {
	Path    string
	Version string // such as "2.1.197"
	Tested  bool   // vitrine is tested with this version
}

// Tested returns the versions that vitrine is tested with, the pinned one first.
func Tested() []string { return []string{pinned, "2.1.120", "2.1.330"} }

// The oldest version that has all that is needed here.
const oldest = "2.1.120"

// pinned is the version that is fetched where there is no other.
const pinned = "2.1.197"

// A release is one package of the npm registry.
type release struct {
	name    string // of the package
	version string
	sha256  string // of the executable in it, in hexadecimal
}

// pinnedRelease returns the native package for this machine. The packages need no Node.
func pinnedRelease() (release, error) {
	sums := map[string]string{
		"x64":   "f54e69cbc89b2da61a415700af7ff52a147e862517d4f1b0eecf768448cf7f83",
		"arm64": "fb48473c467c27615ac799a754f4ef0b68c363e4596cefbb59c3815d51a0cc8a",
	}
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if runtime.GOOS != "linux" || arch == "" {
		return release{}, fmt.Errorf("%w for %s/%s", ErrUnavailable, runtime.GOOS, runtime.GOARCH)
	}
	return release{"@anthropic-ai/claude-code-linux-" + arch, pinned, sums[arch]}, nil
}

// Locate finds Claude Code: the executable that is named; else one on PATH, if it is of a tested version; else the pinned one, which
// it fetches into the user's cache through npm when it is not there yet.
func Locate(ctx context.Context, named string, log *slog.Logger) (Binary, error) {
	if named != "" {
		bin, err := Inspect(ctx, named)
		if err == nil && !bin.Tested {
			log.Warn("this version of Claude Code is not tested", "version", bin.Version, "tested", Tested())
		}
		return bin, err
	}
	if path, err := exec.LookPath("claude"); err == nil {
		bin, err := Inspect(ctx, path)
		if err == nil && bin.Tested {
			return bin, nil
		}
		log.Warn("the claude on PATH is not of a tested version, using a pinned one", "path", path, "version", bin.Version)
	}
	rel, err := pinnedRelease()
	if err != nil {
		return Binary{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return Binary{}, fmt.Errorf("%w: nowhere to keep it: %w", ErrUnavailable, err)
	}
	path, err := rel.install(ctx, filepath.Join(cache, "vitrine"), log)
	if err != nil {
		return Binary{}, err
	}
	return Binary{Path: path, Version: rel.version, Tested: true}, nil
}

// Cached returns where the pinned version is in the user's cache, and whether it is there, whole.
func Cached() (string, bool) {
	path := CachePath()
	rel, err := pinnedRelease()
	return path, err == nil && path != "" && rel.check(path) == nil
}

// CachePath returns where the pinned version would be in the user's cache; empty if it can be nowhere.
func CachePath() string {
	rel, err := pinnedRelease()
	if err != nil {
		return ""
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return rel.path(filepath.Join(cache, "vitrine"))
}

// Inspect asks an executable for its version. The error says so if it is not Claude Code, or too old.
func Inspect(ctx context.Context, path string) (Binary, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Binary{}, err
	}
	home, err := os.MkdirTemp("", "vitrine-version-")
	if err != nil {
		return Binary{}, err
	}
	defer func() { _ = os.RemoveAll(home) }()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = []string{"HOME=" + home, "PATH=/usr/local/bin:/usr/bin:/bin"}
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return Binary{}, fmt.Errorf("ask %s for its version: %w", path, err)
	}
	version := regexp.MustCompile(`^\d+\.\d+\.\d+`).FindString(string(out))
	if version == "" || !strings.Contains(string(out), "Claude Code") {
		return Binary{}, fmt.Errorf("%s is not Claude Code: its version is %q", path, firstLine(out))
	}
	bin := Binary{Path: path, Version: version, Tested: slices.Contains(Tested(), version)}
	if older(version, oldest) {
		return bin, fmt.Errorf("%s is Claude Code %s, too old: at least %s is needed", path, version, oldest)
	}
	return bin, nil
}

func firstLine(out []byte) string {
	line, _, _ := bytes.Cut(out, []byte("\n"))
	return string(line)
}

// older compares versions of three numbers.
func older(a, b string) bool {
	return slices.Compare(numbers(a), numbers(b)) < 0
}

func numbers(version string) []int {
	var ns []int
	for part := range strings.SplitSeq(version, ".") {
		n, _ := strconv.Atoi(part) // the pattern lets only digits through
		ns = append(ns, n)
	}
	return ns
}

func (r release) path(cache string) string {
	return filepath.Join(cache, filepath.Base(r.name)+"-"+r.version, "claude")
}

// install returns the path of the release's executable in the cache, after fetching it if it is not there or not whole. Several processes may do so at
// once: each works in a folder of its own, and the first one to finish wins.
func (r release) install(ctx context.Context, cache string, log *slog.Logger) (string, error) {
	path := r.path(cache)
	switch err := r.check(path); {
	case err == nil:
		return path, nil
	case !errors.Is(err, fs.ErrNotExist):
		log.Warn("fetching Claude Code again", "because", err)
		if err := os.RemoveAll(filepath.Dir(path)); err != nil {
			return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", fmt.Errorf("%w on PATH or in %s, and no npm to fetch it with", ErrUnavailable, cache)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	work, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer func() { _ = os.RemoveAll(work) }()

	log.Info("fetching Claude Code through npm, once", "version", r.version, "into", cache)
	if err := r.fetch(ctx, npm, work); err != nil {
		return "", fmt.Errorf("%w: fetch %s@%s: %w", ErrUnavailable, r.name, r.version, err)
	}
	err = os.Rename(filepath.Join(work, "unpacked"), filepath.Dir(path))
	if _, statErr := os.Stat(path); statErr == nil {
		return path, nil // ours, or that of another process that was faster
	}
	return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// fetch puts the checked executable into work/unpacked.
func (r release) fetch(ctx context.Context, npm, work string) error {
	cmd := exec.CommandContext(ctx, npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", work, r.name+"@"+r.version)
	cmd.Dir = work
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm: %w: %s", err, bytes.TrimSpace(out))
	}
	archives, err := filepath.Glob(filepath.Join(quoteGlob(work), "*.tgz"))
	if err != nil || len(archives) != 1 {
		return fmt.Errorf("npm left %d archives: %w", len(archives), err)
	}
	unpacked := filepath.Join(work, "unpacked", "claude")
	if err := unpack(archives[0], "package/claude", unpacked); err != nil {
		return err
	}
	return r.check(unpacked)
}

// check says whether the executable at path is the tested one, byte for byte.
func (r release) check(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != r.sha256 {
		return fmt.Errorf("%s is not the tested one: its SHA-256 is %s, should be %s", path, got, r.sha256)
	}
	return nil
}

// unpack writes one file of a gzipped tar archive, executable, to path.
func unpack(archive, name, path string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	tr := tar.NewReader(zr)
	for {
		header, err := tr.Next()
		if err != nil {
			return fmt.Errorf("find %s in the archive: %w", name, err)
		}
		if header.Name != name || header.Typeflag != tar.TypeReg {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, tr)
		return errors.Join(err, out.Sync(), out.Close())
	}
}
