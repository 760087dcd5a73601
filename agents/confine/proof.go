package confine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Prove makes the canary sing, unless it has done so before behind this boundary: for this user, with this kernel and this program. That is kept
// in the user's cache; where there is none it sings each time.
func (b Boundary) Prove(ctx context.Context) error {
	path := b.proof()
	if _, err := os.Stat(path); path != "" && err == nil {
		return nil
	}
	if _, err := b.Canary(ctx); err != nil {
		return err
	}
	if path != "" && os.MkdirAll(filepath.Dir(path), 0o700) == nil {
		_ = os.WriteFile(path, []byte(b.String()+"\n"), 0o600) // else it sings again
	}
	return nil
}

// proof returns the file that is there when the boundary was proved; empty if it cannot be kept.
func (b Boundary) proof() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	var kernel unix.Utsname
	if err := unix.Uname(&kernel); err != nil {
		return ""
	}
	self, err := os.Stat("/proc/self/exe")
	if err != nil {
		return ""
	}
	key := fmt.Sprintf("%s %s %d %+v %d %d", kernel.Release, kernel.Version, os.Getuid(), b.uses, self.Size(), self.ModTime().UnixNano())
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(cache, "vitrine", "canary", hex.EncodeToString(sum[:16]))
}
