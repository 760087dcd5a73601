package world

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"github.com/klauspost/compress/zstd"
)

const (
	sealedSuffix = ".zst"
	maxFrame     = 1 << 30 // bytes of a frame that is read

	indexMagic     = 0x184D2A5D // of a skippable frame of our own
	skippableMagic = 0x184D2A5E // of the one that holds the seek table
	seekTableMagic = 0x8F92EAB1
	skippableSize  = 4 + 4     // magic, bytes that follow
	entrySize      = 4 + 4     // bytes of a frame as it is, and of what is in it
	footerSize     = 4 + 1 + 4 // number of entries, flags (none), magic
	turnSize       = 4         // in the index
)

var (
	errSealed = errors.New("the log is sealed: it takes no more commits")
	errTable  = errors.New("its seek table is damaged")
)

// isSealed says whether the log in dir is sealed. While the plain log is there, it is not.
func isSealed(dir string) bool {
	path := filepath.Join(dir, logName)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	_, err := os.Stat(path + sealedSuffix)
	return err == nil
}

// openSource opens the file at path, or what it became when it was sealed.
func openSource(path string) (source, error) {
	file, err := os.Open(path)
	if err == nil {
		return plain{file}, nil
	}
	if errors.Is(err, fs.ErrNotExist) { // else it is there, and counts
		if sealed, sealedErr := openSealed(path + sealedSuffix); !errors.Is(sealedErr, fs.ErrNotExist) {
			return sealed, sealedErr
		}
	}
	return nil, err
}

// A frame is one zstd frame of a sealed file: where it stands, where what is in it stands in the plain file, and the turn of its first line.
type frame struct {
	sealed, plain span
	turn          int
}

// A sealedSource is a sealed file.
type sealedSource struct {
	*os.File
	frames  []frame
	decoder *zstd.Decoder
	last    frame  // the one that was read last
	text    []byte // what is in it
}

func openSealed(path string) (source, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &sealedSource{File: file}
	info, err := file.Stat()
	if err == nil {
		s.frames, err = readSeekTable(file, info.Size())
	}
	if err == nil {
		s.decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFrame))
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return s, nil
}

// A kept source is a sealed file that stays open for its owner when it is closed.
type kept struct{ *sealedSource }

// Close does nothing.
func (kept) Close() error { return nil }

// readSeekTable reads the tables at the end of a sealed file of that size.
func readSeekTable(file io.ReaderAt, size int64) ([]frame, error) {
	var footer [footerSize]byte
	end := size - footerSize
	if end < skippableSize {
		return nil, errTable
	}
	if _, err := file.ReadAt(footer[:], end); err != nil {
		return nil, err
	}
	entries := int64(binary.LittleEndian.Uint32(footer[:]))
	begin := end - entries*entrySize - skippableSize
	if binary.LittleEndian.Uint32(footer[5:]) != seekTableMagic || footer[4] != 0 || begin < 0 {
		return nil, errTable
	}
	indexSize := skippableSize + entries*turnSize + crc32.Size
	if begin -= indexSize; begin < 0 {
		return nil, errTable
	}
	index := make([]byte, end-begin)
	if _, err := file.ReadAt(index, begin); err != nil {
		return nil, err
	}
	index, table := index[:indexSize], index[indexSize:]
	turns := index[skippableSize : indexSize-crc32.Size]
	if !isSkippable(table, skippableMagic, footerSize) || !isSkippable(index, indexMagic, 0) ||
		binary.LittleEndian.Uint32(index[indexSize-crc32.Size:]) != crc32.Checksum(turns, castagnoli) {
		return nil, errTable
	}
	frames := make([]frame, entries)
	var at frame
	for i := range frames {
		entry := table[skippableSize+i*entrySize:]
		at.sealed = span{at.sealed.end, at.sealed.end + int64(binary.LittleEndian.Uint32(entry))}
		at.plain = span{at.plain.end, at.plain.end + int64(binary.LittleEndian.Uint32(entry[4:]))}
		at.turn = int(binary.LittleEndian.Uint32(turns[i*turnSize:]))
		frames[i] = at
	}
	if at.sealed.end != begin {
		return nil, errTable
	}
	return frames, nil
}

// isSkippable says whether b is a skippable frame with that magic number, of which so many bytes are still to come.
func isSkippable(b []byte, magic uint32, more int) bool {
	return binary.LittleEndian.Uint32(b) == magic && int(binary.LittleEndian.Uint32(b[4:])) == len(b)-skippableSize+more
}

// appendSeekTable appends the index and the seek table of the frames.
func appendSeekTable(b []byte, frames []frame) []byte {
	b = binary.LittleEndian.AppendUint32(b, indexMagic)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frames)*turnSize+crc32.Size))
	begin := len(b)
	for _, f := range frames {
		b = binary.LittleEndian.AppendUint32(b, uint32(f.turn))
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[begin:], castagnoli))
	b = binary.LittleEndian.AppendUint32(b, skippableMagic)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frames)*entrySize+footerSize))
	for _, f := range frames {
		b = binary.LittleEndian.AppendUint32(b, uint32(f.sealed.end-f.sealed.begin))
		b = binary.LittleEndian.AppendUint32(b, uint32(f.plain.end-f.plain.begin))
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frames)))
	b = append(b, 0)
	return binary.LittleEndian.AppendUint32(b, seekTableMagic)
}

// size returns the bytes of the plain file.
func (s *sealedSource) size() (int64, error) {
	if len(s.frames) == 0 {
		return 0, nil
	}
	return s.frames[len(s.frames)-1].plain.end, nil
}

// ReadAt reads what the plain file holds at off.
func (s *sealedSource) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		i := s.find(off + int64(n))
		if i == len(s.frames) {
			return n, io.EOF
		}
		if err := s.load(s.frames[i]); err != nil {
			return n, err
		}
		n += copy(b[n:], s.text[off+int64(n)-s.last.plain.begin:])
	}
	return n, nil
}

// find returns the number of the frame that holds the byte at off of the plain file.
func (s *sealedSource) find(off int64) int {
	return sort.Search(len(s.frames), func(i int) bool { return s.frames[i].plain.end > off })
}

// before returns the part of the plain file that holds the last line before the turn.
func (s *sealedSource) before(turn int) span {
	i := sort.Search(len(s.frames), func(i int) bool { return s.frames[i].turn >= turn })
	if i == 0 {
		return span{}
	}
	return s.frames[i-1].plain
}

// load makes f the frame that was read last.
func (s *sealedSource) load(f frame) error {
	if f == s.last {
		return nil
	}
	raw := make([]byte, f.sealed.end-f.sealed.begin)
	if _, err := s.File.ReadAt(raw, f.sealed.begin); err != nil {
		return err
	}
	text, err := s.decoder.DecodeAll(raw, s.text[:0])
	if err == nil && int64(len(text)) != f.plain.end-f.plain.begin {
		err = errTable
	}
	if err != nil {
		s.last, s.text = frame{}, nil
		return fmt.Errorf("%s: frame at byte %d: %w", s.Name(), f.sealed.begin, err)
	}
	s.last, s.text = f, text
	return nil
}

// Close closes the file.
func (s *sealedSource) Close() error {
	s.decoder.Close()
	return s.File.Close()
}
