package scenarios

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Size is a number of bytes. A scenario says it as a string with a unit, such as "512MiB" or "2GB".
type Size int64

// A unit of sizes.
type unit struct {
	name  string
	bytes float64
}

// sizeUnits returns the units that a size may have. Of those that end alike the longer ones come first.
func sizeUnits() []unit {
	return []unit{
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
	}
}

// sizePattern matches what ParseSize reads.
const sizePattern = `^[0-9]+(\.[0-9]+)?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$`

const sizeHint = `write it like "512MiB", "2GiB" or "500MB"`

// ParseSize reads a size: a decimal number without a sign, and one of the units B, kB, MB, GB and TB, which are powers of 1000, and KiB, MiB, GiB and
// TiB, which are powers of 1024. What is less than a byte is left out.
func ParseSize(s string) (Size, error) {
	for _, u := range sizeUnits() {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		if strings.Trim(number, "0123456789.") != "" || strings.HasPrefix(number, ".") || strings.HasSuffix(number, ".") {
			break
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || n*u.bytes >= math.MaxInt64 {
			break
		}
		return Size(n * u.bytes), nil
	}
	return 0, fmt.Errorf("%q is no size", s)
}

// String says a size so that ParseSize reads the same again, in the largest unit of 1024 that is whole.
func (s Size) String() string {
	for i, name := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if size := Size(1) << (40 - 10*i); s >= size && s%size == 0 {
			return fmt.Sprintf("%d%s", s/size, name)
		}
	}
	return fmt.Sprintf("%dB", int64(s))
}
