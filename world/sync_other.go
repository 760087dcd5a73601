//go:build !linux

package world

import "os"

// datasync returns when the bytes of f and its size are on the disk.
func datasync(f *os.File) error {
	return f.Sync()
}
