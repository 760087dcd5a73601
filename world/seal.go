package world

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

const sealedFrame = 64 << 10 // bytes of the log in a frame, at least

// Seal makes the log in dir, to which nobody shall ever add anything, and its keyframes small. All that reads it reads it as before; to
// [Open] it is an error. It returns the bytes that they took before and take now. The plain log goes when the sealed one is on the disk and
// was read back to the same bytes, and so to the same hash. A damaged log, and one with a torn tail, is an error and stays as it is. Of a
// log that is sealed already Seal only returns the sizes.
//
// Whoever was killed in it can call it again. Two must not call it at once; a [Lease] is the way to be alone.
func Seal(dir string) (before, after int64, err error) {
	if !isSealed(dir) {
		if err := seal(dir); err != nil {
			return 0, 0, fmt.Errorf("seal log: %w", err)
		}
	}
	if err := removePlain(dir, keyframesName); err != nil {
		return 0, 0, fmt.Errorf("seal log: %w", err)
	}
	for _, name := range []string{logName, keyframesName} {
		src, err := openSealed(filepath.Join(dir, name+sealedSuffix))
		if name == keyframesName && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, 0, fmt.Errorf("seal log: %w", err)
		}
		defer src.Close()
		size, _ := src.size() // its table is read
		info, err := os.Stat(filepath.Join(dir, name+sealedSuffix))
		if err != nil {
			return 0, 0, fmt.Errorf("seal log: %w", err)
		}
		before, after = before+size, after+info.Size()
	}
	return before, after, nil
}

func seal(dir string) error {
	log := ReadLog(dir)
	for _, err := range log.Events() {
		if err != nil {
			return err
		}
	}
	if log.at.torn {
		return &LogError{log.path, log.Torn(), "the log ends within a commit; it is mended when it is next opened"}
	}
	if err := sealFile(dir, keyframesName, 1); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := sealFile(dir, logName, sealedFrame); err != nil { // nobody looks at it while the plain one is there
		return err
	}
	lock, err := lockLog(context.Background(), dir)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	info, err := os.Stat(log.path)
	if err != nil {
		return err
	}
	if info.Size() != log.at.size {
		return errors.Join(errors.New("the log has grown meanwhile"), os.Remove(log.path+sealedSuffix))
	}
	return removePlain(dir, logName)
}

// removePlain removes a plain file, if it is there, and returns when that is on the disk.
func removePlain(dir, name string) error {
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return syncDir(dir)
}

// sealFile puts a sealed file beside a plain one, on the disk, when it is whole and proved to hold the same.
func sealFile(dir, name string, least int) error {
	path := filepath.Join(dir, name)
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	temp := path + sealedSuffix + ".tmp"
	to, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	err = compress(to, from, least)
	if err == nil {
		err = to.Sync()
	}
	if err = errors.Join(err, to.Close()); err == nil {
		err = sameBytes(temp, from)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, path+sealedSuffix); err != nil {
		return err
	}
	return syncDir(dir)
}

// compress writes what from holds as zstd frames of whole lines and of at least so many bytes each, and their seek table.
func compress(to io.Writer, from io.Reader, least int) error {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		return err
	}
	defer encoder.Close()
	var frames []frame
	var text []byte
	for lines := bufio.NewReaderSize(from, chunk); ; {
		line, err := lines.ReadSlice('\n')
		text = append(text, line...)
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil && err != io.EOF {
			return err
		}
		if len(text) >= least || err == io.EOF && len(text) > 0 {
			raw := encoder.EncodeAll(text, nil)
			if _, err := to.Write(raw); err != nil {
				return err
			}
			var first struct{ Turn uint32 }
			head, _, _ := bytes.Cut(text, []byte("\n"))
			_ = json.Unmarshal(head, &first) // what is neither a line of the log nor a keyframe is in turn 0
			frames = append(frames, frame{span{0, int64(len(raw))}, span{0, int64(len(text))}, int(first.Turn)})
			text = text[:0]
		}
		if err == io.EOF {
			_, err := to.Write(appendSeekTable(nil, frames))
			return err
		}
	}
}

// sameBytes is an error unless the sealed file at path holds what the plain one does.
func sameBytes(path string, plain io.ReaderAt) error {
	sealed, err := openSealed(path)
	if err != nil {
		return err
	}
	defer sealed.Close()
	a, b := make([]byte, chunk), make([]byte, chunk)
	for off := int64(0); ; off += chunk {
		n, errA := sealed.ReadAt(a, off)
		m, errB := plain.ReadAt(b, off)
		if errA == io.EOF && errB == io.EOF && n == m && bytes.Equal(a[:n], b[:m]) {
			return nil
		}
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			return errors.Join(fmt.Errorf("%s does not hold what it should", path), errA, errB)
		}
	}
}

func syncDir(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
